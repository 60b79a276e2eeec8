import numpy as np

from paring.dataset.origin import Origin, Records


def test_records_give_back_what_they_were_made_of() -> None:
    records = Records.of([b"a", b"", memoryview(b"ccc")])
    assert list(records) == [b"a", b"", b"ccc"]
    assert records[2] == b"ccc"
    assert list(Records.concat([records, records.take(np.array([2, 0]))])) == [
        *[b"a", b"", b"ccc"],
        *[b"ccc", b"a"],
    ]
    assert len(Records.concat([])) == 0


def test_an_origin_describes_only_the_very_frames_it_was_bound_to(tmp_path) -> None:
    frames = [1], [2]
    origin = Origin("coco", tmp_path).bind(*frames)
    assert origin.describes(*frames)
    assert not origin.describes([1], [2])
    assert not Origin("coco", tmp_path).describes(*frames)


def test_a_part_of_an_origin_keeps_the_texts_of_its_rows(tmp_path) -> None:
    origin = Origin("coco", tmp_path, images=Records.of([b"x", b"y"]), header={"info": b"{}"})
    part = origin.take(np.array([1]), np.array([], np.int64))
    assert list(part.images) == [b"y"]
    assert part.instances is None
    assert part.header == {"info": b"{}"}
    assert not part.describes([1])


def test_a_part_takes_instances_by_their_own_rows_and_describes_nothing_yet(tmp_path) -> None:
    frames = ([1],)
    origin = Origin("coco", tmp_path, instances=Records.of([b"x", b"y", b"z"])).bind(*frames)
    part = origin.take(np.array([0]), np.array([2, 0]))
    assert list(part.instances) == [b"z", b"x"]
    assert not part.describes(*frames)
