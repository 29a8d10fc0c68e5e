// The few shell commands with which specs cut and change a version, in `%(…)`. They are evaluated here, never run.

/**
 * The output of a shell command, if it is one of the simple filters: `c=TEXT; echo ${c:0:7}`, and `echo TEXT | …` or
 * `… <<< TEXT` through `cut -c`, `tr` of one character and `sed 's/…/…/'` without special characters.
 * @returns undefined for any other command
 */
export function printedBy(command: string): string | undefined {
  const text = command.trim();
  const slice = /^(\w+)=(['"]?)([^\s'"$`;|]+)\2;\s*echo\s+\$\{\1:(\d+):(\d+)\}$/.exec(text);
  if (slice !== null) return slice[3]!.slice(Number(slice[4]), Number(slice[4]) + Number(slice[5]));
  const piped = /^echo\s+(?:-n\s+)?(['"]?)([^\s'"$`;|]+)\1\s*\|\s*([^|;$`]+)$/.exec(text);
  if (piped !== null) return filtered(piped[3]!.trim(), piped[2]!);
  const given = /^([^|;$`<]+?)\s*<<<\s*(['"]?)([^\s'"$`;|]+)\2$/.exec(text);
  return given === null ? undefined : filtered(given[1]!.trim(), given[3]!);
}

function filtered(filter: string, text: string): string | undefined {
  const cut = /^cut\s+-c\s*(\d*)-(\d*)$/.exec(filter);
  if (cut !== null)
    return text.slice(cut[1] === '' ? 0 : Number(cut[1]) - 1, cut[2] === '' ? undefined : Number(cut[2]));
  const removed = /^tr\s+-d\s+(['"]?)([^\s'"\\[\]])\1$/.exec(filter);
  if (removed !== null) return text.replaceAll(removed[2]!, '');
  const changed = /^tr\s+(['"]?)([^\s'"\\[\]])\1\s+(['"]?)([^\s'"\\[\]])\3$/.exec(filter);
  if (changed !== null) return text.replaceAll(changed[2]!, changed[4]!);
  const replaced = /^sed\s+(?:-e\s+)?(['"]?)s([/|,])([\w\s~+^:-]+)\2([\w\s~+:-]*)\2(g?)\1$/.exec(filter);
  if (replaced === null || /[\^+]/.test(replaced[3]!)) return undefined;
  const [, , , from, to, all] = replaced;
  return all === 'g' ? text.replaceAll(from!, () => to!) : text.replace(from!, () => to!);
}
