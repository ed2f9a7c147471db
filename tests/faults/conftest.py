from tests.engine.conftest import _keys, clock, open_bench

__all__ = ["_keys", "clock", "open_bench"]
