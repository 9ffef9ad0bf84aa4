#compdef ttctl
# zsh completion for ttctl. The words of the line are unquoted before ttctl is asked; zsh quotes what it inserts.
_ttctl() {
    local current=$PREFIX candidate
    # In single quotes nothing is escaped.
    [[ $compstate[quote] == "'" ]] || current=${(Q)PREFIX}
    local -a typed=("${(@Q)words[1,CURRENT-1]}" "$current")
    local -a candidates=("${(@f)$(
        TTCTL_COMPLETE=zsh _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((CURRENT - 1)) ttctl -- "${typed[@]}" 2>/dev/null
    )}")
    local -a directories=() others=()
    for candidate in "${candidates[@]}"; do
        case $candidate in
            '') ;;
            */) directories+=("${candidate%/}") ;;
            *) others+=("$candidate") ;;
        esac
    done
    local ended=1
    if (( ${#directories} )); then _describe -V directories directories -S / -r / && ended=0; fi
    if (( ${#others} )); then _describe -V values others && ended=0; fi
    return ended
}

# As a file in $fpath this is the body of the function itself; elsewhere it is sourced.
if [[ $funcstack[1] == _ttctl ]]; then _ttctl "$@"; else compdef _ttctl ttctl; fi
