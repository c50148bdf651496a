"""A working set-up, broken in each way that was thought of: the doctor names it, and says nothing once it is mended."""

from __future__ import annotations

import re

import pytest

from tests.doctor import breaks
from tests.doctor.breaks import Break, full, lost, policy, setting, snippet, socket_mode
from tests.doctor.world import World

LOG, JOURNAL, STATE = 'rejections = "rejections.jsonl"', 'dir = "journal"', 'url = "sqlite:state.db"'
DOMAINS = 'domains = ["example.org", "example.com"]'
AUTHENTICATED = "accept  authenticated = *\n        endpass\n        acl = ${listnamed_a:eximacl_next_rcpt}\n"
ON_FAILURE = "accept  condition = ${if eq{${extract{$acl_arg2}{${listnamed_l:eximacl_on_failure}}}}{accept}}"
OBJECTION = "deny    condition = ${if or{{eq{$acl_c_eximacl_verdict}{reject}}"

WAYS: dict[str, tuple[Break, str, str, str]] = {
    # name: (what is broken, the diagnosis that finds it, how bad, words of it)
    "Exim asks elsewhere": (setting("EXIMACL_SOCKET = /run/other.sock"), "socket-path", "problem", "/run/other.sock"),
    "socket closed to its group": (socket_mode(0o600), "socket-access", "problem", "no right to write"),
    "socket of a wrong group": (socket_mode(0o660, 0), "socket-access", "problem", "no right to write"),
    "socket in a closed directory": (breaks.closed_directory, "socket-access", "problem", "lets Debian-exim not pass"),
    "socket is a file": (breaks.socket_is_a_file, "socket-access", "problem", "is no socket"),
    "not installed": (breaks.not_installed, "wiring", "problem", "not in Exim's configuration"),
    "ACL in the wrong place": (
        setting(".ifndef EXIMACL_NEXT_MAIL", "EXIMACL_NEXT_MAIL = /etc/exim4/eximacl/@COPY@/rcpt.acl", ".endif"),
        "wiring",
        "problem",
        "acl_smtp_mail names rcpt.acl",
    ),
    "only one early stage": (
        setting("EXIMACL_NEXT_MAIL = /etc/exim4/eximacl/@COPY@/mail.acl"),
        "wiring",
        "warning",
        "only mail ask",
    ),
    "time limit 0": (setting("EXIMACL_TIMEOUT = 0s"), "timeouts", "problem", "EXIMACL_TIMEOUT is '0s'"),
    "time limit of no unit": (
        setting("EXIMACL_HOLD_TIMEOUT = 60"),
        "timeouts",
        "problem",
        "EXIMACL_HOLD_TIMEOUT is '60'",
    ),
    "time limit too short": (setting("EXIMACL_TIMEOUT = 1s"), "timeouts", "warning", "EXIMACL_TIMEOUT is 1s"),
    "time limit too long": (setting("EXIMACL_TIMEOUT = 10m"), "timeouts", "warning", "EXIMACL_TIMEOUT is 10m"),
    "failure word misspelt": (setting("EXIMACL_ON_FAILURE = acept"), "on-failure", "problem", "'acept'"),
    "counted mail without the daemon": (
        setting("EXIMACL_COUNTED_ON_FAILURE = accept"),
        "on-failure",
        "warning",
        "EXIMACL_COUNTED_ON_FAILURE is accept",
    ),
    "strict variables": (setting("strict_acl_vars = true"), "strict-vars", "problem", "strict_acl_vars is on"),
    "relay hosts asked": (setting("EXIMACL_SKIP_HOSTS ="), "skipped", "warning", "relay host 127.0.0.99"),
    "users asked": (snippet("rcpt.acl", AUTHENTICATED, ""), "skipped", "warning", "authenticated clients"),
    "old snippets": (
        snippet("rcpt.acl", "# The RCPT stage", "# An older one"),
        "snippets",
        "warning",
        "not those of this",
    ),
    "a snippet is missing": (breaks.no_acl, "snippets", "problem", "lacks want.acl"),
    "a snippet is unreadable": (breaks.unreadable_snippet, "snippets", "problem", "may not read ask.acl"),
    "the snippets are gone": (breaks.no_snippets, "snippets", "problem", "is missing"),
    "rejects without effect": (
        snippet("ask.acl", OBJECTION, OBJECTION.replace("deny ", "warn ")),
        "verdicts",
        "problem",
        "without effect: reject",
    ),
    "no daemon means 550": (
        snippet("ask.acl", ON_FAILURE, ON_FAILURE.replace("accept ", "deny ", 1)),
        "fallback",
        "problem",
        "says '550",
    ),
    "nothing asked at DATA": (
        snippet("want.acl", "accept\n", "accept set acl_m_eximacl_want =\n"),
        "queries",
        "problem",
        "did not ask at DATA",
    ),
    "nothing asked at RCPT": (
        snippet("rcpt.acl", "warn    control = caseful", "accept\nwarn    control = caseful"),
        "queries",
        "problem",
        "asked nothing about a recipient",
    ),
    "nothing told at the end": (
        snippet("quit.acl", "warn    acl", "accept\nwarn    acl"),
        "queries",
        "problem",
        "not ask at: end",
    ),
    "the postmaster is refused": (
        setting("CHECK_RCPT_LOCAL_LOCALPARTS = postmaster"),
        "queries",
        "warning",
        "your own rules refuse postmaster@",
    ),
    "queries of another protocol": (snippet("rcpt.acl", "v=1 tx", "v=9 tx"), "understood", "problem", "v=1"),
    "no router": (lost("conf.d/router/050_eximacl"), "router", "warning", "no router eximacl_disposable"),
    "config broken since the start": (breaks.broken_config, "config", "problem", "no_such_option"),
    "config changed since the start": (
        breaks.changed_since_start,
        "running",
        "warning",
        "before its configuration changed",
    ),
    "config not made yet": (breaks.not_made_yet, "running", "warning", "000_localmacros is newer"),
    "Exim is stopped": (breaks.no_exim, "running", "warning", "no Exim daemon runs"),
    "nobody listens": (breaks.nobody_listens, "live", "warning", "127.0.0.1:1 does not talk SMTP"),
    "daemon stopped": (breaks.stopped, "daemon", "problem", "does not answer"),
    "daemon hung": (breaks.hung, "daemon", "problem", "no answer within 5 s"),
    "another program at the socket": (breaks.another_program, "daemon", "problem", "does not answer"),
    "another policy file": (breaks.another_policy, "daemon", "warning", "not "),
    "a setting that needs a restart": (breaks.unapplied_setting, "daemon", "warning", r"\[server\] has changed"),
    "policy wrong": (policy("[policy]", "[nonsense]\n[policy]"), "policy", "problem", "nonsense"),
    "policy refused at reload": (breaks.refused_reload, "policy", "problem", "refused its new policy"),
    "no domain judged": (policy(DOMAINS, "domains = []"), "domains", "problem", "policy.domains is empty"),
    "other domains judged": (
        policy(DOMAINS, 'domains = ["example.net"]'),
        "domains",
        "problem",
        "none of Exim's local",
    ),
    "a domain not judged": (policy(DOMAINS, 'domains = ["example.org"]'), "domains", "warning", "lacks .*example.com"),
    "spool unreadable": (breaks.powerless, "archive", "problem", "may not read Exim's spool"),
    "log not writable": (breaks.exims_log, "records", "problem", "log.rejections: the daemon may not write"),
    "disk of the log full": (
        full(LOG, 'rejections = "DISK/r.jsonl"'),
        "records",
        "problem",
        "log.rejections: the disk .* full",
    ),
    "disk of the journal full": (
        full(JOURNAL, 'dir = "DISK/j"'),
        "records",
        "problem",
        "journal.dir: the disk .* full",
    ),
    "disk of the state full": (
        full(STATE, 'url = "sqlite:DISK/s.db"'),
        "state",
        "problem",
        "state.url: the disk .* full",
    ),
    "DNS dead": (breaks.dead_dns, "names", "problem", "DNS does not answer"),
    "clock behind": (breaks.future, "clock", "problem", "state.db was changed in the future"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    broken, diagnosis, level, words = WAYS[way]
    with broken(world) as options:
        found = world.doctor(*(options or ()))
    named = [each for each in found if each["diagnosis"] == diagnosis and each["level"] == level]
    assert any(re.search(words, each["what"]) for each in named), [each for each in found if each["level"] != "ok"]
    assert all(each["means"] and each["do"] for each in named)


def test_all_is_well_when_all_is_mended(world: World) -> None:
    """Runs last: what the tests above have done is undone, and a restarted Exim leaves nothing to say."""
    starts = world.lab.mainlog().count("daemon started")
    world.run("sh", "-c", "kill -HUP $(cat /var/spool/exim4/daemon.pid)")
    world.wait_for_exim(starts + 1)
    assert {each["what"] for each in world.doctor() if each["level"] != "ok"} == set()
