"""A run as an event file of TensorBoard, without TensorFlow or torch."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import tomli_w
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event as LogEvent
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.summary.writer.record_writer import RecordWriter

from triadapt.events import MEASURED, RankEvent, Stamped, Started
from triadapt.runs.info import RunInfo
from triadapt.runs.scalar_tags import CONFIGURATION, METHOD, METRIC, scalars_of

RANKS, EFFECTIVE_RANKS = "ranks", "effective_ranks"
"""Tags of the histogram of ranks at each event: of those that were decided, and of those that were measured."""


def event_file(info: RunInfo, rows: Sequence[Stamped]) -> bytes:
    """The scalars of `scalar_tags` at their steps, a histogram of the ranks at each rank event, and as texts the method
    and the configuration. A time is that of the run's start plus its running time; equal runs give equal bytes."""
    memory = io.BytesIO()
    writer = RecordWriter(memory)

    def put(time: float, step: int, values: list[Summary.Value]) -> None:
        event = LogEvent(wall_time=info.created + time, step=step, summary=Summary(value=values))
        writer.write(event.SerializeToString(deterministic=True))

    writer.write(LogEvent(wall_time=info.created, file_version="brain.Event:2").SerializeToString(deterministic=True))
    started = next((row.event for row in rows if isinstance(row.event, Started)), None)
    if started is not None:
        config = f"```\n{tomli_w.dumps(started.config)}```"
        texts = {METHOD: info.method, METRIC: started.metric, CONFIGURATION: config}
        put(0.0, 0, [_text(tag, text) for tag, text in texts.items()])
    for row, scalars in scalars_of(rows):
        values = [Summary.Value(tag=tag, simple_value=_single(value)) for tag, value in scalars.items()]
        if isinstance(row.event, RankEvent):
            values.append(
                Summary.Value(
                    tag=EFFECTIVE_RANKS if row.event.rule == MEASURED else RANKS, histo=_histogram(row.event.ranks)
                )
            )
        put(row.time, row.event.step, values)
    return memory.getvalue()


def file_name(info: RunInfo) -> str:
    """As TensorBoard looks for it: `events.out.tfevents.SECONDS.triadapt`."""
    return f"events.out.tfevents.{int(info.created)}.triadapt"


def _single(value: float) -> float:
    """Within what the format holds, four bytes."""
    most = float(np.finfo(np.float32).max)
    return max(-most, min(most, value)) if value == value else value


def _text(tag: str, text: str) -> Summary.Value:
    data = SummaryMetadata.PluginData(plugin_name="text")
    tensor = TensorProto(
        dtype=DT_STRING, string_val=[text.encode()], tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    )
    return Summary.Value(tag=f"{tag}/text_summary", metadata=SummaryMetadata(plugin_data=data), tensor=tensor)


def _histogram(ranks: NDArray[np.uint16]) -> HistogramProto:
    """A bucket for each rank."""
    counts = np.bincount(ranks.astype(np.int64))
    values = ranks.astype(np.float64)
    return HistogramProto(
        min=float(values.min(initial=0)), max=float(values.max(initial=0)), num=float(len(values)),
        sum=float(values.sum()), sum_squares=float((values**2).sum()),
        bucket_limit=[rank + 0.5 for rank in range(len(counts))], bucket=[float(count) for count in counts],
    )  # fmt: skip
