/** Debian's numbers of releases, and the names that point to one. */
const codenames: Readonly<Record<string, string>> = {
  ...{ '10': 'buster', '11': 'bullseye', '12': 'bookworm', '13': 'trixie', '14': 'forky', '15': 'duke' },
  unstable: 'sid',
};

/** The codename of a Debian release that a feed or a project names by number or codename. */
export function codename(release: string): string {
  return Object.hasOwn(codenames, release) ? codenames[release]! : release;
}
