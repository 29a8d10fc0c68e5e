/** Commands with their descriptions. Each is a file beside this one, imported only when needed. */
export const commands: Readonly<Record<string, string>> = {
  build: 'build the distribution: packages, signed repository, images',
  boot: 'boot an image in QEMU, or check that it boots correctly',
  component: 'list, render, compare and build components',
  overlay: 'list the overlays: what the distribution changes, and why',
  divergence: 'list all differences from upstream by component, category, upstream status and age',
  package: 'list packages and their scriptlets',
  inputs: 'list, update and verify the RPM repositories that the project builds from',
  repo: 'list and query the repositories of a release',
  release: 'build and verify a release: all images from one snapshot, checked',
  image: 'list, inspect, lint, compare and push images',
  config: 'show the resolved project',
  schema: 'print the JSON Schema of the configuration',
  toolbox: 'list or run the tools that Weir uses',
  cache: 'verify the cache',
  clean: 'show the size of the cache, or remove parts of it',
  completion: 'print the completion script of a shell',
};
