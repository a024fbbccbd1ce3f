# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Each target sets up what it needs. Python environments are in CACHE: all checkouts
# share them, and a hash of their requirements is in their names. The rest is in .build.

CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/oomguard
BUILD := $(CURDIR)/.build
PYTHON ?= python3

COLLECTION := ansible_collections/oomguard/linux

# A changed requirements file makes a new environment, so an existing one is never stale.
venv = $(CACHE)/$(1)-$(shell sha256sum tests/requirements/$(1).txt | cut -c1-12)
MAIN := $(call venv,main)
FLOOR := $(call venv,floor)
OLDEST := $(call venv,oldest)
NEWEST := $(call venv,newest)
PROVE := $(call venv,prove)
DOCKER := $(call venv,docker)
BENCH := $(call venv,bench)
FUZZ := $(call venv,fuzz)
AWX := $(call venv,awx)
STOCK := $(call venv,stock)
DOCS := $(call venv,docs)
BROWSER := $(call venv,browser)
NPM := $(CACHE)/npm-$(shell sha256sum tests/requirements/npm.txt | cut -c1-12)
PYTHONS := $(CACHE)/pythons

# The collection as users install it: built, installed, and without the files that it must not depend on.
ARTIFACT := $(BUILD)/artifact
ansible_env = ANSIBLE_COLLECTIONS_PATH=$(ARTIFACT) ANSIBLE_HOME=$(BUILD)/home ANSIBLE_LOCALHOST_WARNING=false \
	ANSIBLE_INVENTORY_UNPARSED_WARNING=false PATH=$(1)/bin:$$PATH

# Tests import the checkout itself under the collection's name. Tests of controller code run in a process of their own,
# because ansible-core remembers whether its process is a controller or a managed host.
LINK := $(BUILD)/link
$(LINK)/$(COLLECTION):
	@mkdir -p $(@D) && ln -sfn $(CURDIR) $@

say = @printf '\n== %s\n' '$(1)'

.PHONY: help
help: ## This list
	@sed -n 's/^\([a-z%-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

.PHONY: prove
prove: packages $(PROVE)/.done ## Prove in a private memory cgroup that the killer spares the pinned process (ARGS='-e ...')
	$(call stage,$(PROVE))
	$(call ansible_env,$(PROVE)) ansible-playbook oomguard.linux.verify --inventory localhost, \
		--extra-vars 'ansible_connection=local ansible_become=false oom_verify_evidence_dir=$(BUILD)/evidence' \
		--extra-vars '{"ansible_python_interpreter": "{{ ansible_playbook_python }}"}' $(ARGS)
	@echo "The evidence is in .build/evidence"

# Lanes of two processors: what is in quotes runs one after another, the rest whenever a processor is free.
# Steps with trials look for leftovers of other trials on this machine. What shares an environment would make it twice.
KILLS := units units-oldest integration check-hog check-forks check-pairs vm-default
CHECKS := 'lint site' sanity corpus fuzz-fragments fuzz-arguments fuzz-host-text check-page
# These run every time: a server, the oldest and the newest kernel, and the four answers to OOM. The other guests take too long.
# They boot beside the steps with trials, which take the longest: no kill of a guest is seen outside it.
GUESTS := vm-extremes vm-vm vm-host_oom vm-panic vm-overcommit
MORE_GUESTS := vm-kernels vm-overcommit_boot vm-prediction vm-protect vm-users vm-undo vm-events vm-report vm-killers vm-attacks vm-hosts vm-selinux vm-arm64 vm-awx
# On two processors, two guests at a time save a fifth of the time.
JOBS ?= 1
steps = $(PYTHON) tests/tools/run_steps.py

.PHONY: test
test: packages guest-packages docker-packages browser-packages $(MAIN)/.done $(PYTHONS)/.done ## Run all tests except the slowest
	$(call stage,$(MAIN))
	@$(steps) --phase 2 '$(KILLS) check-awx vm-docker' '$(GUESTS)' fuzz $(CHECKS)
	@printf 'make test-all also runs: check-lab check-awx-slow fuzz-fragments-long fuzz-arguments-long fuzz-host-text-long $(MORE_GUESTS)\n'

.PHONY: test-all
test-all: test ## Run all tests (JOBS=N: N guests at a time)
	@$(steps) --phase 2 'check-lab check-awx-slow' 'fuzz-fragments-long fuzz-arguments-long fuzz-host-text-long' --phase $(JOBS) $(MORE_GUESTS)

.PHONY: test-fast
test-fast: packages browser-packages $(MAIN)/.done $(PYTHONS)/.done ## Run the tests that need no guest and no container
	$(call stage,$(MAIN))
	@$(steps) --phase 2 '$(KILLS)' $(CHECKS)

.PHONY: lint
lint: $(MAIN)/.done $(DOCS)/.done $(LINK)/$(COLLECTION) ## ansible-lint (production), ruff, mypy, generated files, and the artifact as Galaxy checks it
	$(call say,lint)
	$(call stage,$(MAIN))
	$(MAIN)/bin/ruff check .
	$(MAIN)/bin/ruff format --check .
	MYPYPATH=$(LINK) $(MAIN)/bin/mypy --package ansible_collections.oomguard.linux.plugins
	$(call ansible_env,$(MAIN)) ansible-lint --strict
	$(MAIN)/bin/antsibull-changelog lint
	$(MAIN)/bin/python tests/tools/role_readmes.py --check
	$(DOCS)/bin/python tests/tools/check_artifact.py $(BUILD)/oomguard-linux-*.tar.gz
	$(DOCS)/bin/reuse lint --quiet || $(DOCS)/bin/reuse lint --lines
	$(DOCS)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(DOCS)/bin/pre-commit validate-config

.PHONY: readmes
readmes: $(MAIN)/.done ## Write the READMEs of the roles from their argument specs
	$(MAIN)/bin/python tests/tools/role_readmes.py

# What needs credentials is printed, not done.
.PHONY: release
release: $(MAIN)/.done $(DOCS)/.done ## Build and check the artifact of the version in galaxy.yml, and name the steps that are left
	$(call say,release)
	$(call stage,$(MAIN))
	$(MAIN)/bin/python tests/tools/check_release.py $(BUILD)/oomguard-linux-*.tar.gz
	$(DOCS)/bin/python tests/tools/check_artifact.py $(BUILD)/oomguard-linux-*.tar.gz

.PHONY: tested
tested: ## Write docs/tested.md from the scenarios that passed in this checkout
	$(PYTHON) tests/tools/tested_with.py $(BUILD)/tested

.PHONY: site
site: $(MAIN)/.done $(DOCS)/.done ## Build the documentation site, without a warning, into .build/site/html
	$(call say,documentation site)
	$(call stage,$(MAIN))
	$(DOCS)/bin/python tests/tools/build_site.py $(ARTIFACT)/$(COLLECTION) $(BUILD)/site

# ansible-test needs a folder with the collection's name, and installs its own requirements.
# It would download a script for pip: it finds our copy instead.
SANITY := $(BUILD)/sanity/$(COLLECTION)
define sanity
$(call say,ansible-test sanity of $(notdir $(1)))
@rm -rf $(BUILD)/sanity && mkdir -p $(SANITY) $(CACHE)/home/.ansible/test/cache
@git ls-files -co --exclude-standard | tar -cf - -T - | tar -xf - -C $(SANITY)
@git -C $(SANITY) init --quiet # without it ansible-test uses this repository, which ignores .build, and skips every file
@for version in $$(sed -n "s/.*pip='\([0-9.]*\)'.*/\1/p" $(1)/lib/python3*/site-packages/ansible_test/_internal/python_requirements.py | tr . _); \
	do cp tests/tools/get_pip.py $(CACHE)/home/.ansible/test/cache/get_pip_$$version.py; done
$(call ansible_test,$(1)) sanity --local --requirements
endef
ansible_test = cd $(SANITY) && HOME=$(CACHE)/home PATH=$(1)/bin:$(PYTHONS):$$PATH ansible-test

.PHONY: sanity
sanity: packages $(MAIN)/.done $(PYTHONS)/.done ## ansible-test sanity, nothing ignored
	$(call sanity,$(MAIN))

# Each ansible-core that is supported, with the newest Python of this machine that its controller runs on.
CORES := 2.16 2.17 2.18 2.19 2.20 2.21
core = $(CACHE)/core-$(1)-$(shell sha256sum tests/requirements/core.txt | cut -c1-12)
.PHONY: matrix core-%
matrix: $(addprefix core-,$(CORES)) ## Sanity, integration, unit and controller tests on each supported ansible-core

define core_targets
core-$(1): packages $(PYTHONS)/.done $(call core,$(1))/.done $(LINK)/$(COLLECTION) ## The same on one of them
	$$(call sanity,$(call core,$(1)))
	$$(call ansible_test,$(call core,$(1))) integration --local
	PYTHONPATH=$(LINK) $(call core,$(1))/bin/python -m pytest -q -p no:cacheprovider tests/unit
	PYTHONPATH=$(LINK) $(call core,$(1))/bin/python -m pytest -q -p no:cacheprovider tests/controller
$(call core,$(1))/.done: | $(PYTHONS)/.done
$(call core,$(1))/.done: INTERPRETER = $$$$(ls -v $(PYTHONS)/python3.1[0-$(if $(filter 2.16 2.17,$(1)),2,9)] | tail -n 1)
$(call core,$(1))/.done: EXTRA = ansible-core~=$(1).0
endef
$(foreach number,$(CORES),$(eval $(call core_targets,$(number))))

.PHONY: units
units: export COVERAGE_CORE = sysmon
units: packages $(NEWEST)/.done $(LINK)/$(COLLECTION) ## Unit and controller tests with coverage, on the newest Python
	$(call say,units on $(shell $(NEWEST)/bin/python --version 2>/dev/null))
	PYTHONPATH=$(LINK) $(NEWEST)/bin/coverage run --source plugins -m pytest -q tests/unit
	PYTHONPATH=$(LINK) $(NEWEST)/bin/coverage run --source plugins --append -m pytest -q tests/controller
	$(NEWEST)/bin/coverage report --show-missing --skip-covered --fail-under 90
	$(NEWEST)/bin/coverage report --fail-under 100 --include "$$($(PYTHON) tests/house.py)"

.PHONY: units-oldest
units-oldest: packages $(OLDEST)/.done $(FLOOR)/.done $(LINK)/$(COLLECTION) ## Unit tests on the oldest Python from 3.6 on
	$(call say,units on $(shell $(OLDEST)/bin/python --version 2>/dev/null))
	@mkdir -p $(BUILD)/floor && ln -sfn $(FLOOR)/lib/python3*/site-packages/ansible $(BUILD)/floor/ansible
	PYTHONPATH=$(LINK):$(BUILD)/floor $(OLDEST)/bin/python -m pytest -q -p no:cacheprovider tests/unit

.PHONY: corpus
corpus: $(MAIN)/.done $(LINK)/$(COLLECTION) ## Score the parser on logs with known events (OOMGUARD_KERNEL_LOGS=FOLDER)
	$(call say,corpus)
	PYTHONPATH=$(LINK) $(MAIN)/bin/python tests/corpus.py $(or $(OOMGUARD_KERNEL_LOGS),tests/unit/fixtures/kernel_logs)

.PHONY: check-hog
check-hog: packages $(MAIN)/.done $(LINK)/$(COLLECTION) ## The C allocator: warnings, valgrind, sanitizer, real kills
	$(call say,C checks)
	PYTHONPATH=$(LINK) $(MAIN)/bin/python -m pytest -q tests/hog

.PHONY: check-forks
check-forks: packages $(MAIN)/.done $(LINK)/$(COLLECTION) ## Pins in a storm of 100,000 forks
	$(call say,forks)
	PYTHONPATH=$(LINK) $(MAIN)/bin/python -m pytest -q tests/forks

PAGE_PATH := $(LINK):tests:tests/browser
.PHONY: check-page
check-page: browser-packages $(BROWSER)/.done $(NPM)/.done $(LINK)/$(COLLECTION) ## The page of oom_report in Chromium: data, filters, hostile names, accessibility, looks
	$(call say,page)
	node $(NPM)/typescript/lib/tsc.js --project tests/browser/jsconfig.json
	PYTHONPATH=$(PAGE_PATH) OOMGUARD_NPM=$(NPM) OOMGUARD_PICTURES=$(BUILD)/page $(BROWSER)/bin/python -m pytest -q tests/browser
	PYTHONPATH=$(PAGE_PATH) $(BROWSER)/bin/python tests/tools/report_example.py --check

.PHONY: report-example
report-example: browser-packages $(BROWSER)/.done $(LINK)/$(COLLECTION) ## Write docs/report-example.html and its picture
	PYTHONPATH=$(PAGE_PATH) $(BROWSER)/bin/python tests/tools/report_example.py

.PHONY: bench-page
bench-page: browser-packages $(BROWSER)/.done $(LINK)/$(COLLECTION) ## How fast the page of oom_report is: 1,000 hosts x 50 events, 10,000 x 20
	$(call say,speed of the page)
	PYTHONPATH=$(PAGE_PATH) $(BROWSER)/bin/python tests/benchmark/bench_page.py

.PHONY: check-pairs
check-pairs: packages $(MAIN)/.done $(LINK)/$(COLLECTION) ## Two runs at once, some ended by a signal (PAIRS=N, SEED=N)
	$(call say,pairs)
	PYTHONPATH=$(LINK) $(MAIN)/bin/python -m pytest -q tests/concurrency

.PHONY: bench
bench: bench-packages guest-packages $(BENCH)/.done $(LINK)/$(COLLECTION) ## Compare the speed with other tools, measured in one run
	$(call say,benchmarks)
	PYTHONPATH=$(LINK) $(BENCH)/bin/python tests/benchmark/bench_pins.py
	CACHE=$(CACHE) PYTHONPATH=$(LINK) $(BENCH)/bin/python tests/benchmark/bench_events.py
	PYTHONPATH=$(LINK) $(BENCH)/bin/python tests/benchmark/bench_shapes.py
	PYTHONPATH=$(LINK) $(BENCH)/bin/python tests/benchmark/bench_info.py
	PYTHONPATH=$(LINK):tests $(BENCH)/bin/python tests/benchmark/bench_report.py
	@$(MAKE) --no-print-directory bench-page
	$(call scenario,$(BENCH),bench)

.PHONY: bench-fleet
bench-fleet: bench-packages $(BENCH)/.done $(LINK)/$(COLLECTION) ## What a fleet costs the controller and each host, beside ping and stock modules (HOSTS=N,N REPLAYED=N,N PLAYS=NAME,NAME FORKS=N)
	$(call say,fleets)
	PYTHONPATH=$(LINK) $(BENCH)/bin/python tests/benchmark/bench_fleet.py $(if $(HOSTS),--hosts $(HOSTS)) $(if $(REPLAYED),--replayed $(REPLAYED)) $(if $(PLAYS),--plays $(PLAYS)) $(if $(FORKS),--forks $(FORKS))

.PHONY: bench-prediction
bench-prediction: packages $(MAIN)/.done $(LINK)/$(COLLECTION) ## Predict kills in memory cgroups, then let the kernel kill (TRIALS=N, SEED=N)
	$(call say,predictions)
	PYTHONPATH=$(LINK):tests $(MAIN)/bin/python tests/prediction/trial.py --trials $(or $(TRIALS),300) $(if $(SEED),--seed $(SEED))

.PHONY: fuzz
fuzz: $(FUZZ)/.done $(LINK)/$(COLLECTION) ## Look for input that breaks the parser (RUNS=N, SEED=N)
	$(call say,fuzzing)
	@mkdir -p $(BUILD)/fuzz
	cd $(BUILD)/fuzz && PYTHONPATH=$(LINK) $(FUZZ)/bin/python $(CURDIR)/tests/fuzz/fuzz_parser.py corpus -runs=$(or $(RUNS),10000) -seed=$(or $(SEED),1) -max_len=400

.PHONY: fuzz-fragments
fuzz-fragments: $(MAIN)/.done $(LINK)/$(COLLECTION) ## The same checks as fuzz, without coverage and much faster (RUNS=N, SEED=N, JOBS=N)
	$(call say,changed reports)
	PYTHONPATH=$(LINK) $(MAIN)/bin/python tests/fuzz/fuzz_fragments.py --runs $(or $(RUNS),50000) --seed $(or $(SEED),1) --jobs $(JOBS)

.PHONY: fuzz-arguments fuzz-host-text
fuzz-arguments: $(MAIN)/.done $(LINK)/$(COLLECTION) ## Call every module with random arguments in check mode (RUNS=N)
	$(call say,random arguments)
	PYTHONPATH=$(LINK) $(MAIN)/bin/python tests/fuzz/fuzz_arguments.py --runs $(or $(RUNS),2000)

fuzz-host-text: $(MAIN)/.done $(LINK)/$(COLLECTION) ## Give random text to the readers of /proc, cgroups and unit files (RUNS=N)
	$(call say,random host text)
	PYTHONPATH=$(LINK) $(MAIN)/bin/python tests/fuzz/fuzz_host_text.py --runs $(or $(RUNS),50000)

.PHONY: fuzz-fragments-long fuzz-arguments-long fuzz-host-text-long
fuzz-fragments-long:
	@$(MAKE) --no-print-directory fuzz-fragments RUNS=2000000
fuzz-arguments-long:
	@$(MAKE) --no-print-directory fuzz-arguments RUNS=20000
fuzz-host-text-long:
	@$(MAKE) --no-print-directory fuzz-host-text RUNS=1000000

# A red block in the log is a fault: failures that a test expects are one line.
CALM := ANSIBLE_STDOUT_CALLBACK=calm ANSIBLE_CALLBACK_PLUGINS=$(CURDIR)/tests/integration/callback_plugins
TARGETS := ANSIBLE_ROLES_PATH=$(CURDIR)/tests/integration/targets
.PHONY: integration
integration: packages $(MAIN)/.done $(FLOOR)/.done $(PYTHONS)/.done ## The modules and roles through Ansible, on the newest and the oldest version
	$(call say,integration)
	$(call stage,$(MAIN))
	$(call ansible_env,$(MAIN)) $(CALM) $(TARGETS) ansible-playbook tests/integration/run.yml
	$(call ansible_env,$(FLOOR)) $(CALM) $(TARGETS) ansible-playbook tests/integration/run.yml --extra-vars ansible_python_interpreter=$$(ls -v $(PYTHONS)/python3.* | head -n 1)

.PHONY: check-lab
check-lab: guest-packages $(MAIN)/.done ## Check that failed runs remove their guests and report the error
	$(call say,lab)
	OOMGUARD_CACHE=$(CACHE) $(MAIN)/bin/python -m pytest -q -o pythonpath='$(CURDIR)/molecule/shared' tests/lab

# The checkout is found before the collections that the ansible package contains.
# Runs of the set-up against an AWX, and a workflow over twenty hosts, take the most time.
SLOW_AWX := tests/awx/test_setup.py tests/awx/test_stock.py tests/awx/test_workflow.py
.PHONY: check-awx check-awx-slow
check-awx: packages $(AWX)/.done $(LINK)/$(COLLECTION) ## Surveys, data and set-up of AWX, and each template through ansible-runner
	$(call say,AWX)
	PYTHONPATH=$(LINK) $(AWX)/bin/python -m pytest -q tests/awx $(addprefix --ignore ,$(SLOW_AWX))

check-awx-slow: packages $(AWX)/.done $(STOCK)/.done $(LINK)/$(COLLECTION) ## awx_setup twice, a workflow over twenty hosts, and the oldest ansible-core
	$(call say,AWX with twenty hosts)
	PYTHONPATH=$(LINK) OOMGUARD_STOCK=$(STOCK) $(AWX)/bin/python -m pytest -q $(SLOW_AWX)

SCENARIOS := molecule/*/molecule.yml
# LAB_RUN: guests end with the run, even if it is killed. KEEP=1 keeps them for a login, see docs/testing.md.
define scenario
$(call say,molecule $(2))
$(call stage,$(1))
@rm -f $(BUILD)/tested/$(2).*
$(call ansible_env,$(1)) MOLECULE_GLOB='$(SCENARIOS)' OOMGUARD_CACHE=$(CACHE) \
	sh -c '$(if $(KEEP),,LAB_RUN=$$$$) exec molecule test --scenario-name $(2) $(if $(KEEP),--destroy never)'
@mkdir -p $(BUILD)/tested && touch $(BUILD)/tested/$(2).passed
endef

vm-%: guest-packages $(MAIN)/.done ## One molecule scenario: vm-vm, vm-protect, vm-users, vm-undo, vm-kernels, vm-prediction, vm-extremes, vm-events, vm-report, vm-killers, vm-attacks, vm-hosts, vm-selinux, vm-arm64, vm-host_oom, vm-overcommit, vm-overcommit_boot, vm-panic, vm-awx, vm-docker, vm-default (KEEP=1)
	$(call scenario,$(MAIN),$*)

vm-default: packages $(MAIN)/.done
	$(call scenario,$(MAIN),default)

# Its hosts are managed with the oldest Python, too, which needs the oldest ansible-core.
vm-hosts: export OOMGUARD_FLOOR = $(FLOOR)
vm-hosts: export OOMGUARD_OLDEST_PYTHON = $(shell ls -v $(PYTHONS)/python3.* | head -n 1)
vm-hosts: guest-packages $(MAIN)/.done $(FLOOR)/.done $(PYTHONS)/.done
	$(call scenario,$(MAIN),hosts)

vm-arm64: guest-packages arm64-packages $(MAIN)/.done
	$(call scenario,$(MAIN),arm64)

vm-awx: guest-packages $(AWX)/.done
	$(call scenario,$(AWX),awx)

vm-docker: packages docker-packages $(DOCKER)/.done
	$(call scenario,$(DOCKER),docker)

.PHONY: clean
clean: ## Remove what was built in this checkout
	rm -rf $(BUILD)

# --- how environments, artifact and packages are made --------------------------

define stage
$(if $(STAGED),,$(stage_now))
endef

define stage_now
@rm -rf $(BUILD)/artifact $(BUILD)/oomguard-linux-*.tar.gz && mkdir -p $(BUILD)
@$(1)/bin/ansible-galaxy collection build --force --output-path $(BUILD) > $(BUILD)/build.log
@ANSIBLE_HOME=$(BUILD)/home $(1)/bin/ansible-galaxy collection install $(BUILD)/oomguard-linux-*.tar.gz \
	--offline --force --collections-path $(ARTIFACT) > $(BUILD)/build.log 2>&1 || { cat $(BUILD)/build.log; exit 1; }
@cd $(ARTIFACT)/$(COLLECTION) && find . -mindepth 1 -maxdepth 1 ! -name meta ! -name plugins ! -name roles ! -name playbooks \
	! -name MANIFEST.json ! -name FILES.json -exec rm -rf {} +
endef

$(CACHE)/%/.done:
	$(call say,Python environment $*)
	@rm -rf $(@D) && $(or $(INTERPRETER),$(PYTHON)) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check '$(PIP)'
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement tests/requirements/$(firstword $(subst -, ,$*)).txt $(EXTRA)
	@touch $@

$(OLDEST)/.done $(NEWEST)/.done $(STOCK)/.done: | $(PYTHONS)/.done
$(CACHE)/%/.done: PIP = pip
# The pip that comes with Python 3.6 takes packages that are too new for it; this is the last one for it.
$(OLDEST)/.done: PIP = pip==21.3.1
$(OLDEST)/.done: INTERPRETER = $$(ls -v $(PYTHONS)/python3.* | head -n 1)
# ansible-core 2.15 runs on these.
$(STOCK)/.done: INTERPRETER = $$(ls -v $(PYTHONS)/python3.9 $(PYTHONS)/python3.1[01] 2> /dev/null | head -n 1)
$(NEWEST)/.done: INTERPRETER = $$(ls -v $(PYTHONS)/python3.* | tail -n 1)

$(NPM)/.done: tests/tools/npm_packages.py
	$(call say,Packages of npm)
	@rm -rf $(@D) && $(PYTHON) tests/tools/npm_packages.py tests/requirements/npm.txt $(@D)
	@touch $@

$(PYTHONS)/.done: tests/tools/real_pythons.py
	$(call say,Pythons of this machine)
	@$(PYTHON) tests/tools/real_pythons.py $(PYTHONS)
	@touch $@

# Pairs NAME:PACKAGE: a program or a file of the compiler, and the Debian package that has it.
PACKAGES := cc:gcc libc.a:libc6-dev strace:strace valgrind:valgrind shellcheck:shellcheck git:git tar:tar
GUEST_PACKAGES := $(PACKAGES) qemu-system-x86_64:qemu-system-x86 qemu-img:qemu-utils mmdebstrap:mmdebstrap mke2fs:e2fsprogs ssh:openssh-client
# The emulator is 9 MB to download, the compiler 44 MB.
ARM64_PACKAGES := qemu-system-aarch64:qemu-system-arm aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu /usr/aarch64-linux-gnu/lib/libc.a:libc6-dev-arm64-cross
BENCH_PACKAGES := ps:procps journalctl:systemd /lib/systemd/systemd-journal-remote:systemd-journal-remote zstd:zstd bzip2:bzip2 xz:xz-utils
BROWSER_PACKAGES := chromium:chromium npm:npm
DOCKER_PACKAGES := dockerd:docker.io docker:docker.io mmdebstrap:mmdebstrap

define install
@missing=$$(for pair in $(1); do \
	command -v $${pair%%:*} > /dev/null || [ -f "$$(cc -print-file-name=$${pair%%:*} 2> /dev/null)" ] || printf ' %s' $${pair##*:}; done); \
[ -z "$$missing" ] && exit 0; \
[ "$$(id -u)" = 0 ] || { echo "These Debian packages are missing:$$missing. Install them, or run make as root." >&2; exit 1; }; \
echo "Installing$$missing"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing > /dev/null
endef

.PHONY: packages guest-packages arm64-packages docker-packages bench-packages browser-packages
packages:
	$(call install,$(PACKAGES))
guest-packages:
	$(call install,$(GUEST_PACKAGES))
arm64-packages:
	$(call install,$(ARM64_PACKAGES))
bench-packages:
	$(call install,$(BENCH_PACKAGES))
docker-packages:
	$(call install,$(DOCKER_PACKAGES))
browser-packages:
	$(call install,$(BROWSER_PACKAGES))
