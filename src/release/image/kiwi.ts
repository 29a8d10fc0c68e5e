import { formatError, WeirError } from '../../base/errors.ts';
import { kiwiImage } from '../../kiwi/kiwi-image.ts';
import type { Image } from '../../project/model/image.ts';
import type { Project } from '../../project/model/project.ts';
import type { ProjectWorkspace } from '../../workspace/workspace.ts';

/** The file of `kiwi-config-override` of the project's default distro, if it has one. */
export function kiwiConfig({ distros, project }: Project): string | undefined {
  const { defaultDistro } = project;
  if (defaultDistro === undefined) return undefined;
  const distro = distros.get(defaultDistro.name);
  return distro?.versions.get(defaultDistro.version ?? distro.defaultVersion ?? '')?.kiwiConfigOverride;
}

/**
 * The workspace in which images that KIWI describes have Weir's definitions. One of a type that Weir does not build is noted and
 * stays as it is, unless it was asked for.
 * @param images those to build @param isAsked whether they were asked for by name
 * @throws WeirError those of `kiwiImage`
 */
export function withKiwiImages<T extends Pick<ProjectWorkspace, 'project' | 'arch' | 'progress'>>(
  workspace: T,
  images: readonly Image[],
  isAsked: boolean,
): T {
  const { project, arch, progress } = workspace;
  const config = kiwiConfig(project);
  const all = new Map(project.images);
  for (const image of images) {
    const { name, definition } = image;
    if (definition?.type !== 'kiwi') continue;
    try {
      const made = kiwiImage(definition, arch, config);
      for (const difference of made.differences) progress.note(name, difference);
      all.set(name, { ...image, definition: made.definition });
    } catch (error) {
      if (isAsked || !(error instanceof WeirError) || error.code !== 'kiwi-type') throw error;
      progress.note(name, `not built: ${error.message}`);
    }
  }
  return { ...workspace, project: { ...project, images: all } };
}

/** The image with Weir's definition, for lists, or what is wrong with its description. */
export function asWeirImage(
  { project, arch }: Pick<ProjectWorkspace, 'project' | 'arch'>,
  image: Image,
): Image | WeirError {
  if (image.definition?.type !== 'kiwi') return image;
  try {
    return { ...image, definition: kiwiImage(image.definition, arch, kiwiConfig(project)).definition };
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
}

/**
 * What is wrong with the descriptions of a project: for each image, of its architectures. Without a list of them, one for which
 * the description is right will do. A type that Weir does not build is not wrong.
 */
export function kiwiFaults(project: Project): WeirError[] {
  const faults = [...project.images.values()].flatMap((image) => {
    const { architectures } = image;
    const archs = architectures.length === 0 ? (['x86_64', 'aarch64'] as const) : architectures;
    const found = archs.map((arch) => asWeirImage({ project, arch }, image));
    const wrong = found.filter((each) => each instanceof WeirError && each.code !== 'kiwi-type') as WeirError[];
    return architectures.length === 0 && wrong.length < archs.length ? [] : wrong;
  });
  // Images of one description have the same faults, and so have architectures.
  const texts = faults.map((each) => formatError(each));
  return faults.filter((_, index) => texts.indexOf(texts[index]!) === index);
}
