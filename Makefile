# SPDX-License-Identifier: GPL-2.0
#
# sluice: what to build, run and test. `make help` lists it.
#
# Nothing is built inside the source folders: modules for a kernel in
# build/modules-RELEASE, tools in build/sluicectl and so on, downloads in build/apt and
# build/kernels, labs in build/lab.

MAKEFLAGS += --no-print-directory
.SUFFIXES:
.DEFAULT_GOAL := help

build := $(CURDIR)/build
jobs := $(shell nproc)
packages := tools/lab/packages
lab_kernels := 6.12 6.1

# ------------------------------------------------------------------ modules

# Headers of the kernel to build for. Default: those of the kernel that runs.
KDIR ?= /lib/modules/$(shell uname -r)/build

# Which folders make the modules; everything else is user space.
module_sources := Kbuild include hypervisor backend frontend

# BTF of modules needs pahole, and nothing here uses it.
kbuild_flags = -j$(jobs) CONFIG_DEBUG_INFO_BTF_MODULES= $(if $(W),W=$(W)) $(if $(C),C=$(C))

# Kbuild writes beside the sources: give each kernel a tree of links of its own,
# so that two kernels never meet.
define module_tree
	@mkdir -p $(1)
	@cp -rsf $(addprefix $(CURDIR)/,$(wildcard $(module_sources))) $(1)/
	@find $(1) -xtype l -delete
endef

# What would otherwise fail with an obscure text of somebody else's Makefile
define check_kdir
	@test -f $(KDIR)/Makefile || { \
		echo "make: no kernel headers in $(KDIR): install linux-headers-$$(uname -r), or say where: make $@ KDIR=/path" >&2; \
		exit 1; }
endef

release = $(or $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' \
	$(KDIR)/include/generated/utsrelease.h 2>/dev/null),unknown)

modules:
	$(check_kdir)
	$(call module_tree,$(build)/modules-$(release))
	$(MAKE) -C $(KDIR) M=$(build)/modules-$(release) $(kbuild_flags) modules

modules_install: modules
	$(MAKE) -C $(KDIR) M=$(build)/modules-$(release) $(kbuild_flags) \
		$(if $(INSTALL_MOD_PATH),INSTALL_MOD_PATH=$(INSTALL_MOD_PATH)) modules_install

# The lab's kernels. Debian's headers ask for the compiler that built the
# kernel; any newer one is as good for modules. With the flags of the tests, which would
# otherwise build each object a second time.
lab_cc = $(if $(shell command -v gcc-12),,CC=gcc)

$(addprefix lab-modules-,$(lab_kernels) debug): lab-modules-%:
	@$(packages) kernel $*
	@exec 7>$(build)/modules-$*.lock && flock 7 && \
		$(MAKE) modules KDIR=$(build)/kernels/$*/headers $(lab_cc) W=1

lab-modules: $(addprefix lab-modules-,$(lab_kernels))

# Compiled, not run. The kernel's build tools are this machine's.
modules-arm64:
	@$(packages) kernel 6.12-arm64
	$(call module_tree,$(build)/modules-6.12-arm64)
	$(MAKE) -C $(build)/kernels/6.12-arm64/headers M=$(build)/modules-6.12-arm64 \
		$(kbuild_flags) ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \
		CC=aarch64-linux-gnu-gcc modules

# -------------------------------------------------------------------- tools

tools_with_makefile := $(patsubst %/Makefile,%,$(wildcard tools/*/Makefile))

tools: $(addprefix build-,$(tools_with_makefile))

# As for the modules: what is missing, instead of an error in the middle of a file
tools-need:
	@pkg-config --exists libmnl json-c 2>/dev/null || { \
		echo "make: the tools need libraries: apt-get install gcc libc6-dev pkg-config libmnl-dev libjson-c-dev" >&2; \
		exit 1; }

# Labs that come up at the same time both build them, one after the other: a linker would
# read the object that another's compiler is writing.
$(addprefix build-,$(tools_with_makefile)): build-%: tools-need
	@mkdir -p $(build)
	@exec 7>$(build)/$(notdir $*).lock && flock 7 && \
		$(MAKE) -C $* O=$(build)/$(notdir $*)

tools_install: tools
	@set -e; for t in $(tools_with_makefile); do $(MAKE) -C $$t O=$(build)/$$(basename $$t) install; done

install: modules_install tools_install

# -------------------------------------------------------- lab, demo, tests

setup:
	@$(packages) host lab
	@$(packages) qemu >/dev/null
	@$(packages) kernel 6.12

demo: setup
	@tools/lab/demo $(DEMO_ARGS)

demo-xen: setup
	@tools/lab/demo --hv xen $(DEMO_ARGS)

bench-xen: setup
	@tools/bench/sluice-bench-xen $(BENCH_ARGS)

check: setup
	@$(packages) host check
	@tests/run $(TESTS)

check-unit:
	@$(packages) host check
	@tests/run unit model checks

check-lab: setup
	@$(packages) host check
	@tests/run selftests lab

check-debug: setup
	@$(packages) host check
	@tests/run debug

clean:
	rm -rf $(build)/modules-* $(addprefix $(build)/,$(notdir $(tools_with_makefile)) check unit fuzz model)

distclean:
	@for l in $(build)/lab/*/settings; do \
		test ! -f $$l || tools/lab/sluice-lab down --name $$(basename $$(dirname $$l)); done
	rm -rf $(build)

help:
	@echo 'On a fresh Debian 12 or 13 machine each of these works as the first command:'
	@echo '  make demo             boot client, driver domain and two guests; traffic; resizes; throughput'
	@echo '  make demo-xen         the same with domains of Xen (all inside one QEMU)'
	@echo '  make check            every test; ends with "N passed, N failed, N skipped"'
	@echo
	@echo 'Build:'
	@echo '  make modules [KDIR=DIR]          kernel modules for the headers in DIR (default: this kernel)'
	@echo '  make modules_install [KDIR=DIR]  install them (INSTALL_MOD_PATH as usual; then depmod)'
	@echo '  make modules-arm64               compile for arm64'
	@echo '  make tools, make tools_install   sluicectl, sluice-regiond (DESTDIR, PREFIX)'
	@echo '  make install                     modules_install and tools_install'
	@echo '  W=1: all warnings; C=2: sparse'
	@echo
	@echo 'Test:'
	@echo '  make check TESTS="unit lab"      only these: checks unit sluicectl regiond fuzz model build'
	@echo '                                   selftests lab hostile lifecycle xen faults'
	@echo '  make check-unit                  without VMs: unit tests, models, source checks'
	@echo '  make check-lab                   in VMs: selftests and the lab'
	@echo '  make check-debug                 selftests, attacks and deaths on a kernel with KASAN, lockdep, fault injection; 45 minutes'
	@echo
	@echo 'Measure:'
	@echo '  tools/bench/sluice-bench --help  throughput per region size in a lab that is up'
	@echo '  make bench-xen        against netback and netfront of Xen, same domains and card (BENCH_ARGS)'
	@echo
	@echo 'Other:'
	@echo '  make setup            packages and kernels that the lab needs (root: for apt-get install)'
	@echo '  make lab-modules      modules for the lab kernels ($(lab_kernels))'
	@echo '  make clean            remove what was built; make distclean: downloads and labs too'
	@echo '  tools/lab/sluice-lab --help      the lab by hand; tools/lab/demo --help: DEMO_ARGS'

.PHONY: modules modules_install lab-modules modules-arm64 tools tools-need tools_install install \
	setup demo demo-xen bench-xen check check-unit check-lab check-debug clean distclean help \
	$(addprefix lab-modules-,$(lab_kernels) debug) $(addprefix build-,$(tools_with_makefile))
