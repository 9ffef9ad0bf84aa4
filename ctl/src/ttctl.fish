# fish completion for ttctl. The words of the line are unquoted before ttctl is asked; fish quotes what it inserts.
function __ttctl_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l token (commandline --current-token --cut-at-cursor)
    # The last word may have an open quote.
    set -l current (string unescape -- "$token"; or string unescape -- "$token'"; or string unescape -- "$token\"")
    TTCTL_COMPLETE=fish ttctl -- $words "$current" 2>/dev/null
end
complete --keep-order --exclusive --command ttctl --arguments "(__ttctl_complete)"
