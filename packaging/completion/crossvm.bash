# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Completion for bash. What there is to offer, the command itself tells: 'help --names', 'help
# --options', 'list --names'.

# Those of the words in $1 that begin with what has been typed.
_crossvm_offer() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_crossvm_files() {
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
	compopt -o filenames 2>/dev/null
}

_crossvm_lab() {
	local current=$1 previous=$2
	case $previous in
	--lab)
		_crossvm_offer "$(crossvm lab list 2>/dev/null)" "$current"
		;;
	lab)
		_crossvm_offer "$(crossvm lab --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')" \
			"$current"
		;;
	exec | console | stop | start | qmp)
		_crossvm_offer "$(crossvm lab status --json 2>/dev/null |
			sed -n 's/.*"name": "\([^"]*\)".*/\1/p')" "$current"
		;;
	*)
		_crossvm_files "$current"
		;;
	esac
}

# Operands, by subcommand.
_crossvm_operand() {
	local command=$1 current=$2
	case $command in
	info | read | write | emit | wait | send | recv | bench | pipe | forward)
		_crossvm_offer "$(crossvm list --names 2>/dev/null)" "$current"
		;;
	help)
		_crossvm_offer "$(crossvm help --names 2>/dev/null)" "$current"
		;;
	check)
		_crossvm_files "$current"
		;;
	esac
}

_crossvm() {
	local current=${COMP_WORDS[COMP_CWORD]}
	local previous=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]-}

	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		_crossvm_offer "$(crossvm help --names 2>/dev/null)" "$current"
	elif [ "$command" = lab ]; then
		_crossvm_lab "$current" "$previous"
	elif [[ $previous == --socket || $previous == --socket-dir || $previous == --system ]]; then
		_crossvm_files "$current"
	elif [[ $current == -* ]]; then
		_crossvm_offer "$(crossvm help "$command" --options 2>/dev/null)" "$current"
	elif [[ $previous != -* || $previous == --json ]]; then
		_crossvm_operand "$command" "$current"
	fi
}

complete -F _crossvm crossvm
