/** First words of the command line: each is a file beside this one that is imported only when it is asked for. */
export const commands: Readonly<Record<string, string>> = {
  build: 'make the distribution: packages, signed repository, images',
  boot: 'start an image in QEMU, or check that it comes up well',
  component: 'list, render, compare and build components',
  overlay: 'list what the distribution changes, and why',
  divergence: 'list all that differs from upstream: by component, category, upstream status and age',
  package: 'list the packages of the release',
  repo: 'list the repositories of the release',
  release: 'make a release: every image from one snapshot, all of them checked',
  image: 'list images and show what is in them',
  config: 'show the resolved project',
  schema: 'print the JSON Schema of the configuration',
  toolbox: 'show or run the tools that Weir works with',
  cache: 'check what the cache holds',
  clean: 'show what the cache holds, and remove it',
  completion: 'print the completion script of a shell',
};
