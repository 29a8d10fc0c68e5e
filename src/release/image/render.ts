import { renderContainer } from './render-container.ts';
import { renderDisk } from './render-disk.ts';
import type { Rendered, RenderSource } from './render-source.ts';
import { renderWsl } from './render-wsl.ts';

/** Writes an image's files to a folder, according to its kind. */
export function renderImage(source: RenderSource, dir: string): Promise<Rendered> {
  switch (source.definition.kind) {
    case 'container':
      return renderContainer(source, source.definition, dir);
    case 'disk':
      return renderDisk(source, source.definition, dir);
    case 'wsl':
      return renderWsl(source, source.definition, dir);
  }
}
