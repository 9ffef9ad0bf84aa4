# bash completion for ttctl. The words are taken from the line itself, so that names with blanks, quotes and colons
# stay whole; readline quotes what it inserts.
_ttctl() {
    local line=${COMP_LINE:0:COMP_POINT} word= quote= char= begun= prefix= outside= candidate i
    local words=()
    # `prefix` is the beginning of the word that bash leaves as it is: it replaces what follows the last break character
    # outside of quotes, or an open quote.
    for ((i = 0; i < ${#line}; i++)); do
        char=${line:i:1}
        if [[ $quote == "'" ]]; then
            if [[ $char == "'" ]]; then quote= prefix=$outside; else word+=$char; fi
        elif [[ $char == "\\" ]]; then
            ((i++))
            word+=${line:i:1} begun=1
        elif [[ $quote == '"' ]]; then
            if [[ $char == '"' ]]; then quote= prefix=$outside; else word+=$char; fi
        elif [[ $char == "'" || $char == '"' ]]; then
            quote=$char begun=1 outside=$prefix prefix=$word
        elif [[ $char == [[:space:]] ]]; then
            [[ $begun ]] && words+=("$word")
            word= begun= prefix=
        else
            word+=$char begun=1
            [[ $char == [:=@] && $COMP_WORDBREAKS == *"$char"* ]] && prefix=$word
        fi
    done
    words+=("$word")
    local index=$((${#words[@]} - 1))
    COMPREPLY=()
    while IFS= read -r -d $'\v' candidate; do
        COMPREPLY+=("${candidate#"$prefix"}")
    done < <(TTCTL_COMPLETE=bash _CLAP_IFS=$'\v' _CLAP_COMPLETE_INDEX=$index ttctl -- "${words[@]}" 2>/dev/null; printf '\v')
    [[ ${#COMPREPLY[@]} -eq 1 && ! ${COMPREPLY[0]} ]] && COMPREPLY=()
    # readline quotes only candidates that it takes for file names. It takes a word for a directory, too, if there is one of
    # that name, so verbs and names that need no quotes are none.
    if ((index > 1)); then
        for candidate in "${COMPREPLY[@]}"; do
            if [[ $quote || $candidate == */ || $candidate == *[^[:alnum:]_.,/%+-]* ]]; then
                compopt -o filenames 2>/dev/null
                break
            fi
        done
    fi
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _ttctl ttctl
