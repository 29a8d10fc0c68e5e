import type { ResolvedComponent } from '../project/model/component.ts';
import { type Configuration, componentTables } from '../project/resolve.ts';
import type { Source } from '../project/trace.ts';
import { pinPath } from '../sources/pins.ts';

/** The configuration with its files; it is loaded only if a component has to be looked up. */
export type LoadsConfiguration = () => Promise<Configuration>;

/** The table that sets a component's commit by hand; undefined if only its pin does, or nothing. */
export type CommitByHand = (component: ResolvedComponent) => Promise<Source | undefined>;

/**
 * Looks for a file other than a component's pin that sets its commit: it was included later, and so wins, and the pin only
 * repeats it. Without a configuration, every commit is taken for that of the pin.
 * @param folder of the pins
 */
export function commitByHand(folder: string, configuration: LoadsConfiguration | undefined): CommitByHand {
  let loaded: Promise<Configuration> | undefined;
  return async (component) => {
    if (component.spec?.type !== 'upstream' || component.spec.commit === undefined) return undefined;
    loaded ??= configuration?.();
    const files = await loaded;
    if (files === undefined) return undefined;
    return componentTables(files, component).findLast(({ source, says }) => {
      const spec = says.entries.get('spec');
      return (
        source.file !== pinPath(folder, component.name) && spec?.kind === 'table' && spec.entries.has('upstream-commit')
      );
    })?.source;
  };
}
