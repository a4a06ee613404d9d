# SPDX-License-Identifier: GPL-2.0
#
# nfsync: pfsync for Linux. "make help" lists the targets.

KVER	?= $(shell uname -r)
KDIR	?= /lib/modules/$(KVER)/build
KERNEL	?= 6.12
PREFIX	?= /usr
MANDIR	?= $(PREFIX)/share/man
DESTDIR	?=
DKMS	?=
VERSION	:= $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
DKMSSRC	:= $(DESTDIR)/usr/src/nfsync-$(VERSION)
LAB	:= selftests/lab
MAN	:= $(wildcard Documentation/*.[1-9])
BUILT	:= build/$(KERNEL)

all: tools module

module:
	@test -d $(KDIR) || { echo "no kernel headers in $(KDIR): give" \
		"KDIR=..., or use make modules KERNEL=6.1|6.12|7.2" >&2; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR)/kmod modules

tools:
	$(MAKE) -C tools/ip
	$(MAKE) -C selftests/bin

modules:
	$(LAB)/setup.sh packages $(KERNEL)
	$(LAB)/module.sh $(KERNEL) $(BUILT)

install: install-$(if $(DKMS),dkms,module) install-tools

install-module:
	$(MAKE) -C $(KDIR) M=$(CURDIR)/kmod modules_install \
		INSTALL_MOD_PATH=$(DESTDIR)

install-dkms:
	rm -rf $(DKMSSRC)
	install -D -m 644 dkms.conf $(DKMSSRC)/dkms.conf
	find kmod include -name '*.mod.c' -prune -o \
		\( -name '*.[ch]' -o -name 'Kbuild*' \) \
		-exec install -D -m 644 {} $(DKMSSRC)/{} \;
	$(if $(DESTDIR),,dkms install -m nfsync -v $(VERSION) -k $(KVER))

install-tools:
	$(MAKE) -C tools/ip install DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)
	for m in $(MAN); do \
		install -D -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/} \
		|| exit 1; done

uninstall: uninstall-dkms uninstall-module uninstall-tools

uninstall-dkms:
	$(if $(DESTDIR),,-test ! -e $(DKMSSRC) || \
		dkms remove -m nfsync -v $(VERSION) --all)
	rm -rf $(DKMSSRC)

uninstall-module:
	rm -f $(wildcard $(addprefix $(DESTDIR)/lib/modules/$(KVER)/, \
		updates/nfsync.ko* extra/nfsync.ko*))
	$(if $(DESTDIR),,depmod $(KVER))

uninstall-tools:
	$(MAKE) -C tools/ip uninstall DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)
	rm -f $(foreach m,$(MAN),$(DESTDIR)$(MANDIR)/man*/$(notdir $(m)))

check:
	$(LAB)/setup.sh
	$(LAB)/check.sh

check-unit:
	$(MAKE) --no-print-directory -C selftests/unit check

check-fuzz:
	$(MAKE) --no-print-directory -C selftests/unit fuzz SECONDS=$(or $(SECONDS),60)

lint:
	$(LAB)/setup.sh packages kselftest coccinelle
	$(LAB)/lint.sh

guest: modules tools
	$(LAB)/setup.sh kselftest

check-guest: guest
	$(LAB)/guest.sh $(KERNEL) $(TEST)

check-debug:
	$(LAB)/setup.sh packages kselftest
	$(LAB)/check.sh debug-all leaks

check-kcsan:
	$(LAB)/setup.sh packages kselftest
	$(LAB)/check.sh kcsan

coverage: tools
	$(LAB)/setup.sh packages kselftest debug
	$(LAB)/coverage.sh $(TESTS)

check-vng: guest
	$(LAB)/setup.sh vng
	$(LAB)/vng.sh $(KERNEL) $(TEST)

demo: guest
	$(LAB)/demo.sh

shell: guest
	$(LAB)/shell.sh

bench-quick: guest
	selftests/bench/quick.sh

bench-bulk: guest
	selftests/bench/bulk.sh

bench-asym: guest
	selftests/bench/asym.sh

bench-failover: guest
	selftests/bench/failover.sh

clean:
	-test ! -d $(KDIR) || $(MAKE) -C $(KDIR) M=$(CURDIR)/kmod clean
	$(MAKE) -C tools/ip clean
	$(MAKE) -C selftests/bin clean
	rm -rf build

help:
	@echo 'make                build for the running kernel (or KDIR=...)'
	@echo 'make install        module (DKMS=1: by dkms), ip plugin, man pages'
	@echo 'make uninstall      and away again'
	@echo 'make demo           a takeover, shown in a guest'
	@echo 'make shell          a guest with the topology up, to play in'
	@echo 'make check          everything that can be tested'
	@echo 'make check-unit     the files that know no kernel, in userspace'
	@echo 'make check-fuzz     fuzz the wire format (SECONDS=60)'
	@echo 'make check-guest    kselftests in a guest (TEST="link basic")'
	@echo 'make check-debug    all of them under KASAN, lockdep, kmemleak, ...'
	@echo 'make check-kcsan    those with concurrency under KCSAN'
	@echo '                    (the kernels are built once: minutes)'
	@echo 'make coverage       lines of the module that the tests run, in'
	@echo '                    build/coverage (TESTS="basic kunit")'
	@echo 'make check-vng      the same under virtme-ng'
	@echo 'make lint           style and spelling'
	@echo 'make bench-quick    instructions and bytes a connection costs'
	@echo 'make bench-bulk     instructions and bytes a state costs in a transfer'
	@echo 'make bench-asym     two firewalls at once against one, and a plot'
	@echo 'make bench-failover how long a takeover by keepalived takes'
	@echo 'make modules        the module for KERNEL=6.1|6.12|7.2|debug|kcsan,'
	@echo '                    in build/'
	@echo 'make clean          remove what was built'

.PHONY: all module tools modules install install-module install-dkms \
	install-tools uninstall uninstall-module uninstall-dkms \
	uninstall-tools check check-unit check-fuzz lint guest check-guest \
	check-debug check-kcsan check-vng coverage demo shell bench-quick bench-bulk \
	bench-asym bench-failover clean help
