# SPDX-License-Identifier: GPL-2.0
# bash completion for sluicectl(8)

_sluicectl_dests()
{
	# a quote in a name would swallow the rest
	sluicectl dest show 2>/dev/null | LC_ALL=C sed -n 's/^\([A-Za-z0-9_.-]*\): state .*/\1/p'
}

_sluicectl_ports()
{
	sluicectl port show 2>/dev/null | sed -n 's/^\([^ :][^ :]*\): dma-mask .*/\1/p'
}

_sluicectl_netdevs()
{
	local at

	for at in /sys/class/net/*; do
		[[ -e $at ]] && echo "${at##*/}"
	done
}

_sluicectl_dest_set()
{
	local at=$1 prev=$2

	if ((at == 2)); then
		echo dev
		_sluicectl_dests
		return
	fi
	case $prev in
	dev) _sluicectl_netdevs ;;
	size | min | max) echo 0 2M 8M 32M ;;
	auto) echo min off ;;
	weight) echo 1 2 10 ;;
	drain-timeout | timeout) echo 1s 5s 30s ;;
	port)
		echo none
		_sluicectl_netdevs
		;;
	*) echo size auto min max weight drain-timeout port nowait timeout ;;
	esac
}

_sluicectl_domains()
{
	xl list 2>/dev/null | sed -n '1!s/ .*//p'
}

_sluicectl_xen()
{
	case $2 in
	*backend | *frontend) _sluicectl_domains ;;
	*size) echo 2M 8M 32M ;;
	*pairs) echo 1 2 4 ;;
	*timeout) echo 1s 10s ;;
	*mac | *name | *device) ;;
	*)
		echo --backend --frontend --device
		if [[ $1 == attach ]]; then
			echo --name --mac --size --max-size --pairs
		else
			echo --timeout --force
		fi
		;;
	esac
}

_sluicectl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local plain=() word list=

	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $word == -* ]] || plain+=("$word")
	done

	case ${#plain[@]}:${plain[0]-}:${plain[1]-} in
	0:*) list="dest port plan budget monitor xen help" ;;
	1:dest:) list="show set quiesce resume help" ;;
	1:port:) list="show help" ;;
	1:budget:) list="show set help" ;;
	1:plan:) list="help" ;;
	1:monitor:) list="help $(_sluicectl_dests)" ;;
	2:dest:quiesce | 2:dest:resume) list="dev $(_sluicectl_dests)" ;;
	3:dest:quiesce) list="nowait timeout" ;;
	2:budget:set) list="none 64M 256M 1G" ;;
	2:dest:show) list="dev $(_sluicectl_dests)" ;;
	3:dest:show) [[ $prev != dev ]] || list=$(_sluicectl_netdevs) ;;
	2:port:show) list=$(_sluicectl_ports) ;;
	1:xen:) list="attach detach list help" ;;
	*:xen:attach | *:xen:detach) list=$(_sluicectl_xen "${plain[1]}" "$prev") ;;
	*:dest:set) list=$(_sluicectl_dest_set "${#plain[@]}" "$prev") ;;
	esac
	[[ $cur != -* || ${plain[0]-} == xen ]] || list="-j --json -p --pretty -s --statistics -V --version -h --help"
	mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
}

complete -F _sluicectl sluicectl
