# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# sluicectl xen and the plan in dom0, over the xenstore of fake_xen.c: what is in it
# after each command, with the permissions. A part of run.
# shellcheck disable=SC2154 # out, tmp, ctl, expect and so on are run's

xenstore() { # as it is before anything is attached, and lines more
	{
		echo "/local/domain/0/name n0 Domain-0"
		echo "/local/domain/1/name n0,r1 driver"
		echo "/local/domain/2/name n0,r2 guest1"
		echo "/local/domain/3/name n0,r3 guest2"
		echo "/local/domain/4/memory n0,r4"
		printf '/local/domain n0,r0\n/local/domain/%d n0,r0\n' 0
		printf '/local/domain/%d n0,r%d\n' 1 1 2 2 3 3 4 4
		printf '%s\n' "$@"
	} | sort >"$FAKE_XENSTORE"
	cp "$FAKE_XENSTORE" "$tmp/before"
}

nothing_changed() {
	diff <(tidy "$tmp/before") <(tidy "$FAKE_XENSTORE") >"$tmp/err"
	ok $? "${FAKE_XEN:+[$FAKE_XEN] }nothing has changed"
}

tidy() {
	sed 's/ *$//' "$1" | LC_ALL=C sort
}

nodes() { # description, and on the input the lines that are there and were not before
	LC_ALL=C comm -13 <(tidy "$tmp/before") <(tidy "$FAKE_XENSTORE") >"$tmp/out"
	diff - "$tmp/out" >"$tmp/err"
	ok $? "$1"
}

if [[ ! -e $(pkg-config --variable=includedir xenstore 2>/dev/null)/xenstore.h ]]; then
	skip "sluicectl xen" "libxen-dev is not installed"
	return 0
fi
export FAKE_XENSTORE=$tmp/xenstore

# words
xenstore
expect 0 "" xen help
expect 0 "" xen
expect 1 "command 'frob'" xen frob
expect 1 "needs --backend and --frontend" xen attach --backend driver
expect 1 "needs --frontend" xen detach
expect 1 "unknown word '--colour'" xen attach --colour blue
expect 1 "unknown word '--size'" xen detach --frontend guest1 --size 2M
expect 1 "mac needs a value" xen attach --backend driver --mac
expect 1 "backend is given twice" xen attach --backend driver backend driver
expect 1 "list takes no argument" xen list all
expect 1 "unknown option '--backend'" dest --backend driver
at=(xen attach --backend driver --frontend guest1)
for mac in 52:54:00:53:01 52:54:00:53:01:zz 01:00:5e:00:00:01 ff:ff:ff:ff:ff:ff 00:00:00:00:00:00 \
	52-54-00-53-01-0b 52:54:00:53:01:0b0; do
	expect 1 "mac '$mac' is not the address" "${at[@]}" --mac $mac
done
expect 1 "size '1.5M' must be a whole number" "${at[@]}" --size 1.5M
expect 1 "size '-2M' must not be negative" "${at[@]}" --size -2M
expect 1 "not a multiple of the segment, 2M" "${at[@]}" --size 3M
expect 1 "size 258M is above 256M: give a --max-size too" "${at[@]}" --size 258M
expect 1 "size 8M is above 4M, the max-size" "${at[@]}" --size=8M --max-size=4M
expect 1 "max-size 0 leaves no room" "${at[@]}" --max-size 0
expect 1 "max-size 2G is above 2046M" "${at[@]}" --max-size 2G
expect 1 "pairs '0'" "${at[@]}" --pairs 0
expect 1 "pairs '9'" "${at[@]}" --pairs 9
expect 1 "device '65536'" "${at[@]}" --device 65536
expect 1 "name 'a b'" "${at[@]}" --name 'a b'
expect 1 "name '../../x'" "${at[@]}" --name '../../x'
expect 1 "at most|1 to 31" "${at[@]}" --name "$(printf '%032d' 0)"
expect 2 "backend: no domain 'nobody'; there are: Domain-0, driver, guest1, guest2, 4" \
	xen attach --backend nobody --frontend guest1
expect 2 "frontend: no domain '77'" xen attach --backend driver --frontend 77
expect 2 "no domain '4294967297'" xen attach --backend driver --frontend 4294967297
expect 1 "the same domain, 1" xen attach --backend driver --frontend 1
expect 1 "unknown word '--siz=8M'" "${at[@]}" --siz=8M
expect 1 "unknown word 'size=8M'" "${at[@]}" size=8M
expect 1 "name '' must be" "${at[@]}" --name=
expect 1 "backend is given twice" "${at[@]}" --backend=driver
FAKE_XEN=absent expect 1 "device 'x' must be a number" xen detach --frontend guest1 --device x
expect 0 "" xen attach --help
grep -q -- '--max-size' "$tmp/out"
ok $? "--help behind a command is about that object"
expect 1 "timeout '5' needs a unit" xen detach --frontend guest1 --timeout 5
expect 2 "guest1 has no such device" xen detach --frontend guest1
nothing_changed

# attach
expect 0 "" "${at[@]}" --mac=52:54:00:53:01:0b --size 8M
nodes "attach writes both folders, closed to every other domain" <<END
/local/domain/1/backend n0,r1
/local/domain/1/backend/sluice n1
/local/domain/1/backend/sluice/2 n1,r2
/local/domain/1/backend/sluice/2/0 n1,r2
/local/domain/1/backend/sluice/2/0/frontend n1,r2 /local/domain/2/device/sluice/0
/local/domain/1/backend/sluice/2/0/frontend-id n1,r2 2
/local/domain/1/backend/sluice/2/0/mac n1,r2 52:54:00:53:01:0b
/local/domain/1/backend/sluice/2/0/name n1,r2 guest1
/local/domain/1/backend/sluice/2/0/online n1,r2 1
/local/domain/1/backend/sluice/2/0/size n1,r2 8388608
/local/domain/1/backend/sluice/2/0/state n1,r2 1
/local/domain/2/device n0,r2
/local/domain/2/device/sluice n0,r2
/local/domain/2/device/sluice/0 n2,r1
/local/domain/2/device/sluice/0/backend n2,r1 /local/domain/1/backend/sluice/2/0
/local/domain/2/device/sluice/0/backend-id n2,r1 1
/local/domain/2/device/sluice/0/mac n2,r1 52:54:00:53:01:0b
/local/domain/2/device/sluice/0/state n2,r1 1
END
expect 2 "driver has a destination 'guest1' already" "${at[@]}"
expect 2 "guest1 has a device 0 already" "${at[@]}" --name other --device 0
json 'j["device"] == 1 and j["name"] == "second" and j["frontend_id"] == 2' \
	"the next free device" -j "${at[@]}" name second pairs 2 max-size 64M
json '[(d["name"], d["device"], d["backend_state"], d["frontend_state"]) for d in j] == [
	("guest1", 0, "initialising", "initialising"), ("second", 1, "initialising", "initialising")]' \
	"two devices" -j xen list
echo "/local/domain/1/backend/sluice/2/0/shared-bytes n1,r2 4194304" >>"$FAKE_XENSTORE"
expect 0 "" xen list
grep -q '^guest1  *driver  *guest1  *0  *4M  *256M ' "$tmp/out"
ok $? "what is shared now and may be at most"
grep -q 'initialising/initialising  waits for sluice_xen and sluice_back in the driver domain$' "$tmp/out"
ok $? "and what is missing"
json 'j[1]["pairs"] == 2 and j[1]["max_bytes"] == 64 << 20 and "error" not in j[1]' \
	"what was asked for" -j xen list
expect 2 "guest1 has 2 of them: say which --device" xen detach --frontend guest1
expect 0 "" xen detach --frontend guest1 --device 1
expect 0 "" xen detach --backend 1 --frontend 2
nodes "detach leaves only what the driver domain may keep" <<END
/local/domain/1/backend n0,r1
/local/domain/1/backend/sluice n1
/local/domain/2/device n0,r2
END
xenstore
FAKE_XEN=conflict expect 0 "" "${at[@]}"
FAKE_XEN=conflict expect 0 "" xen detach --frontend guest1

# a backend that does not answer, domains that are gone
expect 0 "" "${at[@]}"
cp "$FAKE_XENSTORE" "$tmp/before"
FAKE_XEN=mute expect 4 "not let go of it yet" xen detach --frontend guest1 --timeout 100ms
nodes "and all is still there" <<END
/local/domain/1/backend/sluice/2/0/online n1,r2 0
/local/domain/1/backend/sluice/2/0/state n1,r2 5
END
FAKE_XEN=mute expect 0 "" xen detach --frontend guest1 --force
grep sluice/2 "$FAKE_XENSTORE" >"$tmp/out"
((! $?))
[[ ! -s $tmp/out ]]
ok $? "--force removes both folders"
xenstore "/local/domain/2/device/sluice/0/backend-id n2,r9 9" "/local/domain/2/device/sluice/0 n2,r9" \
	"/local/domain/2/device/sluice n0,r2"
FAKE_XEN=mute expect 0 "" xen detach --frontend guest1 --timeout 100ms
xenstore "/local/domain/1/backend/sluice/9/0/state n1,r9 2" "/local/domain/1/backend/sluice/9/0 n1,r9" \
	"/local/domain/1/backend/sluice/9 n1,r9" "/local/domain/1/backend/sluice n1"
json 'j[0]["error"] == "the guest is gone" and j[0]["frontend_id"] == 9' "a guest that is gone" -j xen list
FAKE_XEN=mute expect 0 "" xen detach --frontend 9 --force

# a driver domain that makes up a device of a guest: the true one is another's
fake=("/local/domain/1/backend/sluice n1" "/local/domain/1/backend/sluice/2 n1,r2"
	"/local/domain/1/backend/sluice/2/0 n1,r2" "/local/domain/1/backend/sluice/2/0/state n1,r2 6")
true=("/local/domain/2/device n0,r2" "/local/domain/2/device/sluice n0,r2"
	"/local/domain/2/device/sluice/0 n2,r3" "/local/domain/2/device/sluice/0/backend-id n2,r3 3")
behind=("/local/domain/3/backend/sluice n3" "/local/domain/3/backend/sluice/2 n3,r2"
	"/local/domain/3/backend/sluice/2/0 n3,r2" "/local/domain/3/backend/sluice/2/0/state n3,r2 4")
xenstore "${fake[@]}" "${true[@]}" "${behind[@]}"
expect 0 "" xen detach --backend 1 --frontend 2
grep -c '/1/backend/sluice/2' "$FAKE_XENSTORE" >"$tmp/out"
[[ $(<"$tmp/out") == 0 ]] && grep -q '/2/device/sluice/0/backend-id n2,r3 3' "$FAKE_XENSTORE"
ok $? "detach of what a driver domain has made up leaves the true device"
xenstore "${fake[@]}" "${true[@]}"
expect 0 "" xen detach --backend 1 --frontend 2
grep sluice/ "$FAKE_XENSTORE" >"$tmp/out"
[[ ! -s $tmp/out ]]
ok $? "a guest that names a backend which is not there loses its folder"
xenstore "/local/domain/1/backend/sluice n1" "/local/domain/1/backend/sluice/2 n1,r2" \
	"/local/domain/1/backend/sluice/2/0 n1,r2" \
	"/local/domain/1/backend/sluice/2/0/shared-bytes n1,r2 99999999999999"
expect 0 "" xen attach --backend 3 --frontend guest1
# or lies about a true one
for much in 99999999999999 $((512 << 40)) 184467440737095516; do
	lie=("/local/domain/3/backend/sluice/2/0/shared-bytes n3,r2 $much"
		"/local/domain/3/backend/sluice/2/0/ctrl-bytes n3,r2 $much")
	xenstore "${true[@]}" "${behind[@]}" "${lie[@]}"
	json '[d["mapped_bytes"] for d in j["xen"]["domains"] if d["name"] == "guest1"] == [(64 * 512 - 8) * 4096]' \
		"what a driver domain says it shares counts up to its grant table ($much)" -j plan
	json 'j["device"] == 1' "and does not take the guest's whole table" -j "${at[@]}" --size 64M
done
xenstore "${fake[@]}" "${true[@]}" "/local/domain/1/backend/sluice/2/0/shared-bytes n1,r2 $((64 << 20))"
json '[d["mapped_bytes"] for d in j["xen"]["domains"] if d["name"] == "guest1"] == [0]' \
	"what it makes up counts for no guest" -j plan

# the driver domain has died: its guests are handed over to the next one
left=("/local/domain/2/device n0,r2" "/local/domain/2/device/sluice n0,r2"
	"/local/domain/2/device/sluice/3 n2,r9" "/local/domain/2/device/sluice/3/backend-id n2,r9 9"
	"/local/domain/2/device/sluice/3/backend n2,r9 /local/domain/9/backend/sluice/2/3"
	"/local/domain/2/device/sluice/3/life n2,r9 77" "/local/domain/2/device/sluice/3/state n2,r9 6"
	"/local/domain/2/device/sluice/3/mac n2,r9 52:54:00:53:01:0b")
xenstore "${left[@]}"
json 'j[0]["error"].startswith("the backend is gone") and j[0]["mac"] == "52:54:00:53:01:0b"' \
	"a backend that is gone" -j xen list
json 'j["device"] == 3 and j["backend_id"] == 1' "its device is attached to another" \
	-j "${at[@]}" --mac 52:54:00:53:01:0B
nodes "the guest's folder is closed to the old one, and open to the new one" <<END
/local/domain/1/backend n0,r1
/local/domain/1/backend/sluice n1
/local/domain/1/backend/sluice/2 n1,r2
/local/domain/1/backend/sluice/2/3 n1,r2
/local/domain/1/backend/sluice/2/3/frontend n1,r2 /local/domain/2/device/sluice/3
/local/domain/1/backend/sluice/2/3/frontend-id n1,r2 2
/local/domain/1/backend/sluice/2/3/mac n1,r2 52:54:00:53:01:0B
/local/domain/1/backend/sluice/2/3/name n1,r2 guest1
/local/domain/1/backend/sluice/2/3/online n1,r2 1
/local/domain/1/backend/sluice/2/3/state n1,r2 1
/local/domain/2/device/sluice/3 n2,r1
/local/domain/2/device/sluice/3/backend n2,r1 /local/domain/1/backend/sluice/2/3
/local/domain/2/device/sluice/3/backend-id n2,r1 1
/local/domain/2/device/sluice/3/mac n2,r1 52:54:00:53:01:0B
/local/domain/2/device/sluice/3/state n2,r1 6
END
! grep -q 'life\|n2,r9' "$FAKE_XENSTORE"
ok $? "nothing of the old one is left in it"
xenstore "${left[@]/state n2,r9 6/state n2,r9 1}"
json 'j["device"] == 3' "also one that no kernel has taken" -j "${at[@]}"
grep -q '^/local/domain/2/device/sluice/3/state n2,r1 1$' "$FAKE_XENSTORE"
ok $? "a guest that has never looked at the old one looks at the new one"
for other in "--mac 52:54:00:53:01:0c" "--device 0"; do
	xenstore "${left[@]}"
	# shellcheck disable=SC2086 # two words
	json 'j["device"] == 0' "but not with other words ($other)" -j "${at[@]}" $other
done

# what guests may have written
xenstore "/local/domain/2/device/sluice/0/backend-id n2,r1 ../../1" "/local/domain/2/device/sluice n0,r2" \
	"/local/domain/2/device/sluice/0/state n2,r1 99999999999999999999999" \
	"/local/domain/2/device/sluice/0 n2,r1" "/local/domain/2/device/sluice/x n2,r1" \
	"/local/domain/2/device/sluice/-1 n2,r1" "/local/domain/2/device/sluice/18446744073709551616 n2"
json 'len(j) == 1 and "backend_id" not in j[0] and j[0]["error"].startswith("no folder of the backend")' \
	"a folder full of nonsense" -j xen list
FAKE_XEN=control json 'j[0]["frontend"] == "?uest1"' "no control characters" -j xen list
expect 0 "" "${at[@]}"
json 'j[0]["device"] == 1' "beside which a device can be attached" -j xen list

# privilege and place
xenstore
FAKE_XEN=absent expect 3 "no xenstore here .*this is for Xen's dom0" "${at[@]}"
FAKE_XEN=eperm expect 3 "run as root in dom0" xen list
FAKE_XEN=domu expect 3 "this domain may not read /local/domain" "${at[@]}"
FAKE_XEN=denied expect 3 "may not write /local/domain/1/backend/sluice/2/0/" "${at[@]}"
FAKE_XEN=quota expect 2 "the xenstore's quota is used up" "${at[@]}"
nothing_changed
FAKE_XEN=domu json '"xen" not in j and "dests" in j' "a driver domain sees its own part only" -j plan
FAKE_XEN=domu expect 0 "" plan
echo control_d >"$tmp/capabilities"
FAKE_XEN=no-hypervisor SLUICECTL_XEN_CAPABILITIES=$tmp/capabilities \
	expect 3 "in dom0 the plan is root's" plan
: >"$tmp/capabilities"
FAKE_KERNEL=absent FAKE_XEN=no-hypervisor SLUICECTL_XEN_CAPABILITIES=$tmp/capabilities \
	expect 3 "sluice_back is not loaded" plan
"$out/sluicectl-noxen" xen list >"$tmp/out" 2>"$tmp/err"
[[ $? == 3 ]] && grep -q "^error: this sluicectl was built without Xen: install libxen-dev" "$tmp/err"
ok $? "without Xen's libraries it says so"

# what fits
FAKE_XEN=small expect 2 "driver would have to share 9236K with its guests, and its grant table of 2 frames holds 4064K: raise max_grant_frames" \
	"${at[@]}" --size 8M
FAKE_XEN=no-maptrack expect 2 "guest1 would have to map .*maptrack table of 0 frames holds 0: raise max_maptrack_frames" \
	"${at[@]}"
nothing_changed
FAKE_XEN=no-hypervisor expect 0 "" "${at[@]}" --size 256M
xenstore
plan_of() { # domain jq-like python on it
	json "(lambda d: $2)([d for d in j[\"xen\"][\"domains\"] if d[\"name\"] == \"$1\"][0])" "$3" -j plan
}
plan_of driver 'd["max_grant_frames"] == 64 and d["grant_limit_bytes"] == (64 * 512 - 8) * 4096' \
	"the grant table of a domain"
plan_of driver '[s["dests"] for s in d["sizes"]] == [127, 42, 14, 3, 0, 0]' "how many of each size fit"
plan_of driver 'd["sizes"][0]["limit"] == "grant table"' "what binds"
FAKE_XEN=version2 plan_of driver '[s["dests"] for s in d["sizes"]] == [63, 21, 7, 1, 0, 0]' \
	"half as many with grant table version 2"
FAKE_XEN=no-maptrack plan_of driver 'd["sizes"][1]["limit"] == "maptrack of the guests" and d["sizes"][1]["dests"] == 0' \
	"guests that may map nothing"
expect 0 "" "${at[@]}" --size 64M
plan_of driver 'd["granted_bytes"] == (64 << 20) + (289 << 12) and d["sizes"][2]["dests"] == 6' \
	"what is attached is taken"
plan_of guest1 'd["mapped_bytes"] == (64 << 20) + (289 << 12)' "and mapped"
echo "/local/domain/1/backend/sluice/2/0/shared-bytes n1,r2 $((16 << 20))" >>"$FAKE_XENSTORE"
plan_of driver 'd["granted_bytes"] == (16 << 20) + (265 << 12)' \
	"once the driver domain says what is shared, that counts"
plan_of guest1 'd["mapped_bytes"] == (16 << 20) + (265 << 12)' "for the guest too"
xenstore
expect 0 "" "${at[@]}"
plan_of driver 'd["granted_bytes"] == (8 << 20) + (261 << 12)' "without a size it is sluice_back's"
xenstore
expect 0 "" "${at[@]}" --max-size 2M
plan_of driver 'd["granted_bytes"] == (2 << 20) + (258 << 12)' "or what the window can hold"
expect 0 "" plan
grep -q 'max_grant_frames.*max_maptrack_frames' "$tmp/out"
ok $? "the plan says which options lift the limits"
FAKE_KERNEL=absent expect 0 "" plan
FAKE_XEN=no-hypfs expect 0 "" plan
unset FAKE_XENSTORE

# what the module in the driver domain knows
printf '%s\n' "frames 5" "max_frames 64" "max_grants 32760" "per_segment 513" "granted 2309" \
	"quarantined 513" "mapped 0" "newer thing" >"$tmp/grants"
SLUICECTL_XEN_GRANTS=$tmp/grants json \
	'j["grants"]["room_bytes"] == 59 << 21 and j["grants"]["quarantined"] == 513' \
	"grants of this domain" -j plan
SLUICECTL_XEN_GRANTS=$tmp/grants expect 0 "" plan
grep -q '64 frames, 32760 grants, of which sluice has 2309' "$tmp/out"
ok $? "the plan of a driver domain shows its grant table"
echo "frames" >"$tmp/grants"
SLUICECTL_XEN_GRANTS=$tmp/grants json '"grants" not in j' "none if the file says nothing" -j plan
