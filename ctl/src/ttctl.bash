# bash completion for ttctl. The words are taken from the line itself, so that names with blanks, quotes and colons
# stay whole; readline quotes what it inserts.
_ttctl() {
    local line=${COMP_LINE:0:COMP_POINT} word= quote= char= begun= i
    local words=()
    for ((i = 0; i < ${#line}; i++)); do
        char=${line:i:1}
        if [[ $quote == "'" ]]; then
            if [[ $char == "'" ]]; then quote=; else word+=$char; fi
        elif [[ $char == "\\" ]]; then
            ((i++))
            word+=${line:i:1} begun=1
        elif [[ $quote == '"' ]]; then
            if [[ $char == '"' ]]; then quote=; else word+=$char; fi
        elif [[ $char == "'" || $char == '"' ]]; then
            quote=$char begun=1
        elif [[ $char == [[:space:]] ]]; then
            [[ $begun ]] && words+=("$word")
            word= begun=
        else
            word+=$char begun=1
        fi
    done
    words+=("$word")
    local index=$((${#words[@]} - 1)) prefix= candidate
    # What bash replaces begins after the last colon of a word that is not quoted.
    if [[ ! $quote && $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
        prefix=${word%"${word##*:}"}
    fi
    COMPREPLY=()
    while IFS= read -r -d $'\v' candidate; do
        COMPREPLY+=("${candidate#"$prefix"}")
    done < <(TTCTL_COMPLETE=bash _CLAP_IFS=$'\v' _CLAP_COMPLETE_INDEX=$index ttctl -- "${words[@]}" 2>/dev/null; printf '\v')
    [[ ${#COMPREPLY[@]} -eq 1 && ! ${COMPREPLY[0]} ]] && COMPREPLY=()
    compopt -o filenames 2>/dev/null
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _ttctl ttctl
