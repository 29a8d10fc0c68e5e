import { Argument, type Command } from 'commander';
import { WeirError } from '../base/errors.ts';
import { candidates } from './candidates.ts';
import { examples, type GlobalOptions } from './program.ts';

/** Each script gets the words from `weir completion candidates`; if there are none, the shell completes files. */
const scripts: Readonly<Record<string, string>> = {
  bash: `_weir() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" completion candidates -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o default -F _weir weir ./weir`,
  zsh: `#compdef weir
_weir() {
  local -a found
  local line
  for line in "\${(@f)$("\${words[1]}" completion candidates -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] && found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( \${#found} )); then _describe weir found; else _files; fi
}
compdef _weir weir`,
  fish: `function __weir_complete
    set -l words (commandline -opc)
    set -l found ($words[1] completion candidates -- $words[2..] (commandline -ct) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c weir -f -a '(__weir_complete)'`,
};

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .addArgument(new Argument('<shell>', 'name of the shell').choices([...Object.keys(scripts), 'candidates']))
    .argument('[words...]', 'with `candidates`: the words of the command line up to the cursor')
    .addHelpText(
      'after',
      examples([
        'source <(weir completion bash)                                   # in ~/.bashrc',
        'source <(weir completion zsh)                                    # in ~/.zshrc, after compinit',
        'weir completion fish > ~/.config/fish/completions/weir.fish',
      ]),
    )
    .action(async (shell: string, words: string[]) => {
      if (shell === 'candidates') {
        const found = await candidates(words, globals());
        process.stdout.write(found.map(({ word, description }) => `${word}\t${description}\n`).join(''));
        return;
      }
      if (words.length > 0)
        throw new WeirError('too-many', 'completion takes a single argument: the shell', { exit: 2 });
      process.stdout.write(`${scripts[shell]}\n`);
    });
}
