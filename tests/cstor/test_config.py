"""The configuration is strict: what is wrong is said with its name before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cstor.config import ApiConfig, ConfigError, is_loopback, parse_size, read_config, read_tokens, split_address

GOOD = """
name = "a"
store = "packets"
listen = "127.0.0.1:8801"
reorder_ms = 2.5
[[source]]
kind = "vxlan"
listen = "127.0.0.1:6081"
[retention]
packets_bytes = "20 GB"
series_days = 30
"""


def read(folder: Path, text: str):
    (folder / "node.toml").write_text(text)
    return read_config(folder / "node.toml")


def test_it_reads_a_whole_file(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    assert config.api.store == tmp_path / "packets"
    assert config.api.name == "a"
    assert config.sources == ({"kind": "vxlan", "listen": "127.0.0.1:6081"},)
    assert (config.retention.packets_bytes, config.retention.series_days) == (20 * 10**9, 30.0)
    assert config.retention.sessions_days is None
    assert (config.retention.series_1s_days, config.retention.series_10s_days) == (2.0, 14.0)
    assert config.reorder_ms == 2.5


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSTOR_LISTEN", "127.0.0.1:9999")
    assert read(tmp_path, GOOD).api.listen == "127.0.0.1:9999"


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('name = "a"', 'naem = "a"', "naem"),
        ('name = "a"', "name = 5", "name"),
        ('"20 GB"', '"much"', "packets_bytes"),
        ("series_days = 30", "series_days = 0", "series_days"),
        ("series_days = 30", "series_1s_days = -1", "series_1s_days"),
        ("series_days = 30", 'min_free = "a lot"', "min_free"),
        ("series_days = 30", "series_dais = 30", "series_dais"),
        ('kind = "vxlan"', "", "kind"),
        ("reorder_ms = 2.5", "reorder_ms = -1", "reorder_ms"),
        ("reorder_ms = 2.5", "reorder_ms = true", "reorder_ms"),
        ("127.0.0.1:8801", "0.0.0.0:8801", "token"),
        ("127.0.0.1:8801", "127.0.0.1", "HOST:PORT"),
        ('name = "a"', 'token_file = "none"', "none"),
        ("[retention]", "[retention", "node.toml"),
    ],
)
def test_it_names_what_is_wrong(tmp_path: Path, old: str, new: str, word: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError, match=word) as refused:
        read(tmp_path, GOOD.replace(old, new))
    assert "\n" not in str(refused.value)


def test_sizes_have_units() -> None:
    assert [parse_size(text, "x") for text in (5, "5", "5 kB", "1.5 MB", "2 GiB", "1T")] == [
        5, 5, 5000, 1_500_000, 2 << 30, 10**12,
    ]  # fmt: skip


def test_addresses_are_host_and_port() -> None:
    assert split_address("[::1]:80") == ("::1", 80)
    assert is_loopback("127.8.8.8")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("example.org")


def test_a_token_file_needs_a_token(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("# nothing yet\n\n")
    with pytest.raises(ConfigError, match="no token"):
        read_tokens(tmp_path / "tokens")
    (tmp_path / "tokens").write_text("abc\n")
    ApiConfig(tmp_path, "n", "0.0.0.0:1", tmp_path / "tokens").validate()
