/** Parses an INI file of WSL: `section.key` in lower case → value. `#` at the start of a line is a comment. */
export function iniSettings(text: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  let section = '';
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const heading = /^\[(.*)\]$/.exec(line)?.[1];
    if (heading !== undefined) section = heading.toLowerCase();
    const [, key, value] = /^([^=[]+?)\s*=\s*(.*)$/.exec(line) ?? [];
    if (key !== undefined) settings.set(`${section}.${key.toLowerCase()}`, value!);
  }
  return settings;
}
