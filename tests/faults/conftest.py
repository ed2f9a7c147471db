from tests.engine.conftest import _keys, clock, empty_store, open_bench

__all__ = ["_keys", "clock", "empty_store", "open_bench"]
