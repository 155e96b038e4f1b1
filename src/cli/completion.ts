import { fileURLToPath } from 'node:url';
import type { CommandModule } from 'yargs';
import { COMPLETE } from './complete.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** For a shell: as it is, whatever it contains. fish knows backslashes between single quotes, the others do not. */
const quoted = (text: string, shell: Shell): string =>
  shell === 'fish' ? `'${text.replace(/[\\']/g, '\\$&')}'` : `'${text.replaceAll("'", `'\\''`)}'`;

/** What the scripts ask: this very program, so that `alias spc='npx spc'` completes as well, and without npm's half second. */
const program = (shell: Shell): string =>
  [process.execPath, fileURLToPath(new URL('./cli.js', import.meta.url))].map((path) => quoted(path, shell)).join(' ');

/** `=` and `:` part words in bash: what stands before the last of them is not to be said again. */
const bash = (): string => `# spc: completion for bash 3.2 and later. In ~/.bashrc:  eval "$(spc completion bash)"
_spc_complete() {
  local line=\${COMP_LINE:0:COMP_POINT} cur value before='' open='' last
  local -a words
  read -ra words <<< "$line"
  [[ -z $line || $line == *[[:space:]] ]] && words+=('')
  last=$((\${#words[@]} - 1))
  cur=\${words[last]}
  case $cur in
    [\\'\\"]*) open=1 cur=\${cur:1} ;;
    *) cur=\${cur//\\\\/} ;;
  esac
  words[last]=$cur
  if [[ -z $open ]]; then
    [[ $cur == *=* && $COMP_WORDBREAKS == *=* ]] && before=\${cur%"\${cur##*=}"}
    [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]] && value=\${cur%"\${cur##*:}"} && ((\${#value} > \${#before})) && before=$value
  fi
  COMPREPLY=()
  while IFS= read -r value; do
    value=\${value%%$'\\t'*}
    value=\${value#"$before"}
    [[ -z $open && $value == *[[:space:]\\'\\"\\\\\\$\\\`\\|\\&\\;\\<\\>\\(\\)\\*\\?\\!\\#]* ]] && printf -v value %q "$value"
    COMPREPLY+=("$value")
  done < <(${program('bash')} ${COMPLETE} "\${words[@]}" 2>/dev/null)
  if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *[/=.] ]] && type compopt >/dev/null 2>&1; then compopt -o nospace; fi
}
complete -F _spc_complete spc
`;

const zsh = (): string => `#compdef spc
# spc: completion for zsh. In ~/.zshrc, after compinit:  eval "$(spc completion zsh)"
_spc() {
  local line value
  local -a whole begun
  while IFS= read -r line; do
    value=\${line%%$'\\t'*}
    line="\${value//:/\\\\:}:\${line#*$'\\t'}"
    [[ $line == *: ]] && line=\${line%:}
    if [[ $value == *[/=.] ]]; then begun+=("$line"); else whole+=("$line"); fi
  done < <(${program('zsh')} ${COMPLETE} "\${(@Q)words[1,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)
  (( \${#begun} )) && _describe -t spc 'spc' begun -S ''
  (( \${#whole} )) && _describe -t spc 'spc' whole
}
if [[ \${zsh_eval_context[-1]} == loadautofunc ]]; then
  _spc "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u }
  compdef _spc spc
fi
`;

const fish = (): string => `# spc: completion for fish.  spc completion fish > ~/.config/fish/completions/spc.fish
function __spc_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  test (count $current) -eq 0; and set current ''
  ${program('fish')} ${COMPLETE} $words $current 2>/dev/null
end
complete -c spc -f -a '(__spc_complete)'
`;

const SCRIPTS: Readonly<Record<Shell, () => string>> = { bash, zsh, fish };

interface CompletionArguments {
  readonly shell: Shell;
}

/** `spc completion`. */
export const completionCommand: CommandModule<object, CompletionArguments> = {
  command: 'completion <shell>',
  describe: 'print a script with which a shell completes commands, options and their values',
  builder: (yargs) => yargs.positional('shell', { choices: SHELLS, demandOption: true, describe: 'which shell it is for' }),
  handler: ({ shell }) => void process.stdout.write(SCRIPTS[shell]()),
};
