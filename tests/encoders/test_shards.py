"""Shards: whole with their hash or made anew, whoever else writes them."""

import numpy as np
import pytest

from pipeline.encoders import shards, store

VECTORS = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_a_shard_is_read_as_it_was_written_and_kept(tmp_path):
    shard = shards.write(tmp_path, 7, VECTORS, "LiteRT on x86_64")
    assert (shards.read(tmp_path, shard) == VECTORS).all()
    assert shards.kept(tmp_path, 7, (3, 4)) == shard
    assert shard.number == 7 and shard.made_by == "LiteRT on x86_64"


def test_one_of_another_shape_or_number_is_not_kept(tmp_path):
    shards.write(tmp_path, 7, VECTORS, "x")
    assert shards.kept(tmp_path, 7, (3, 5)) is None
    assert shards.kept(tmp_path, 8, (3, 4)) is None


def test_a_shard_without_its_record_was_not_finished(tmp_path):
    shards.write(tmp_path, 7, VECTORS, "x")
    shards.place(tmp_path, 7).with_suffix(".json").unlink()
    assert shards.kept(tmp_path, 7, (3, 4)) is None


@pytest.mark.parametrize("record", ["", "{}", "[]", '{"sha256": "00", "made_by": "x"}', "null"])
def test_a_shard_with_a_record_that_is_not_its_own_is_made_anew(tmp_path, record):
    shards.write(tmp_path, 7, VECTORS, "x")
    shards.place(tmp_path, 7).with_suffix(".json").write_text(record)
    assert shards.kept(tmp_path, 7, (3, 4)) is None


def test_a_changed_bit_is_found(tmp_path):
    shard = shards.write(tmp_path, 7, VECTORS, "x")
    file = shards.place(tmp_path, 7)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    assert shards.kept(tmp_path, 7, (3, 4)) is None
    with pytest.raises(store.StoreError, match=r"000007\.npy is damaged"):
        shards.read(tmp_path, shard)


def test_no_file_is_unpickled(tmp_path):
    shards.write(tmp_path, 7, VECTORS, "x")
    np.save(shards.place(tmp_path, 7), np.array([{}], object), allow_pickle=True)
    assert shards.kept(tmp_path, 7, (3, 4)) is None


def test_two_that_write_one_shard_at_once_do_not_meet(tmp_path, monkeypatch):
    from pipeline import files

    whole, seen = files.whole_file, []

    def noted(path, writer=""):
        seen.append(writer)
        return whole(path, writer)

    monkeypatch.setattr(files, "whole_file", noted)
    for host in ("one", "two"):
        monkeypatch.setattr(shards.socket, "gethostname", lambda host=host: host)
        shards.write(tmp_path, 7, VECTORS, "x")
    assert len(set(seen)) == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["000007.json", "000007.npy"]
