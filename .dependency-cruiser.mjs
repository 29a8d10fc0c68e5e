// The order of the rooms: a room may use those after it in this list, never one before it.
const rooms = [
  'cli',
  'release',
  'site',
  'audit',
  'advisory',
  'boot',
  'image',
  'build',
  'overlay',
  'sources',
  'spec',
  'project',
  'tree',
  'repo',
  'seed',
  'rpm',
  'trust',
  'toolbox',
  'archive',
  'engine',
  'base',
];

export default {
  forbidden: [
    ...rooms.slice(1).map((room, index) => ({
      name: `${room}-uses-only-rooms-below-it`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: `^src/(${rooms.slice(0, index + 1).join('|')})/` },
    })),
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'every-file-is-in-a-room',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/(${rooms.join('|')})/` },
      to: {},
    },
    { name: 'nothing-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  },
};
