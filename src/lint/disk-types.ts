/** Type GUIDs that only the linter needs, from the UEFI specification, Linux and the Discoverable Partitions Specification. */
export const otherTypes = {
  biosBoot: '21686148-6449-6e6f-744e-656564454649',
  boot: 'bc13c2ff-59e6-4262-a352-b275fd6f7172',
  linux: '0fc63daf-8483-4772-8e79-3d69d8477de4',
  swap: '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f',
  lvm: 'e6d6d379-f507-44c2-a23c-238f2a3df928',
  raid: 'a19d880f-05fc-4d3b-a006-743f0f84911e',
  luks: 'ca7d7ccb-63ed-4c53-861c-1742536059cc',
  /** Microsoft's reserved partition, without content. */
  reserved: 'e3c9e316-0b5c-4db8-817d-f92df00215ae',
  usrX86_64: '8484680c-9521-48c6-9c11-b0720656f69e',
  usrArm64: 'b0e01050-ee5f-4390-949a-9101b17104e9',
  var: '4d21b016-b534-45c2-a9fb-5c16e091fd2d',
  home: '933ac7e1-2eb4-4f13-b844-0e14e2aef915',
  srv: '3b8f8425-20e0-4f3b-907f-1a25a76f98e8',
} as const;

/** Default mount points of partition types. */
export const treeTypes: ReadonlyMap<string, string> = new Map([
  [otherTypes.usrX86_64, '/usr'],
  [otherTypes.usrArm64, '/usr'],
  [otherTypes.var, '/var'],
  [otherTypes.home, '/home'],
  [otherTypes.srv, '/srv'],
  [otherTypes.boot, '/boot'],
]);
