"""The API as a child process: it may die or be killed alone, capture goes on and it is started again."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from cstor.config import ApiConfig

ROOT = Path(__file__).resolve().parents[1]
FIRST_DELAY_S, LAST_DELAY_S = 0.5, 30.0
STEADY_S = 60.0  # after running so long the next restart is quick again
STOP_S = 15.0


class ApiChild:
    """Started, watched and stopped by the node's main thread: the child ends when that thread does."""

    def __init__(self, config: ApiConfig) -> None:
        self.restarts = 0
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._delay_s = FIRST_DELAY_S
        self._began = 0.0
        self._again_at = 0.0

    def start(self) -> None:
        config = self._config
        command = [sys.executable, "-m", "cstor", "serve", "--captures", "--store", str(config.store)]
        command += ["--listen", config.listen, "--name", config.name]
        if config.token_file:
            command += ["--token-file", str(config.token_file)]
        # A session of its own: Ctrl-C reaches the parent, which stops the child when the last answer may still be read.
        self._process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
        self._began = time.monotonic()

    def watch(self) -> str | None:
        """Restart it if it has died; a line to be logged when something happened."""
        now = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            status = self._process.returncode
            self._process = None
            self._delay_s = FIRST_DELAY_S if now - self._began > STEADY_S else min(2 * self._delay_s, LAST_DELAY_S)
            self._again_at = now + self._delay_s
            return f"the API ended (status {status}); starting it again in {self._delay_s:.1f} s"
        if self._process is None and now >= self._again_at:
            self.restarts += 1
            self.start()
        return None

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
