"""The folder of the private sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from cclear.services.account import Account, ServiceProblem
from cclear.services.sockets import make_socket_folder, remove_socket_folder, socket_folder


def test_it_lies_in_the_data_folder(tmp_path: Path) -> None:
    assert socket_folder(tmp_path) == tmp_path / "run"


def test_it_moves_where_the_path_would_be_too_long_for_the_kernel() -> None:
    deep = Path("/srv") / ("x" * 100)
    assert len(str(socket_folder(deep))) < 60
    assert socket_folder(deep) != socket_folder(deep / "other")


def test_it_refuses_a_folder_that_others_can_enter(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    with pytest.raises(ServiceProblem, match="is not a folder of mode 0700"):
        make_socket_folder(tmp_path, Account.of_servers(tmp_path))


def test_it_removes_what_it_made_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    folder = make_socket_folder(deep, Account.of_servers(tmp_path))
    assert folder.is_dir()
    remove_socket_folder(deep)
    assert not folder.exists()
