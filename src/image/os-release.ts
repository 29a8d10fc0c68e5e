/** The settings of an os-release file (os-release(5)): key → value without its quotes. Escapes stay as they are. */
export function osReleaseSettings(text: string): Readonly<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const match = /^([A-Z][A-Z0-9_]*)=(["']?)(.*)\2$/.exec(line.trim());
    if (match !== null) values[match[1]!] = match[3]!;
  }
  return values;
}
