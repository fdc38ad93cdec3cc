"""The training loop, its checkpoint, and the export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch (the extra 'train') is not installed")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from click.testing import CliRunner  # noqa: E402

from training import augment, export, losses, pool, train  # noqa: E402
from training.network import SIDE, MatteNet  # noqa: E402


@pytest.fixture(scope="module")
def network() -> MatteNet:
    """A network whose BatchNorm statistics are no longer trivial."""
    torch.manual_seed(0)
    made = MatteNet().train()
    with torch.no_grad():
        for _ in range(3):
            made(torch.randn(2, 3, 64, 64))
    return made.eval()


def test_network_keeps_the_size_and_the_range(network: MatteNet) -> None:
    with torch.no_grad():
        alpha = network(torch.randn(2, 3, 96, 64))
    assert alpha.shape == (2, 1, 96, 64)
    assert alpha.min() >= 0 and alpha.max() <= 1


def test_export_equals_the_network(network: MatteNet) -> None:
    pictures = torch.randn(1, 3, SIDE, SIDE)
    with torch.no_grad():
        expected = network(pictures).numpy()
    model = export.to_onnx(network)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (alpha,) = session.run(["alpha"], {"image": pictures.numpy()})
    np.testing.assert_allclose(alpha, expected, rtol=0, atol=1e-4)
    assert not [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    manifest = json.loads(
        {entry.key: entry.value for entry in model.metadata_props}["pyhades.manifest"]
    )
    assert manifest["input_size"] == [SIDE, SIDE]


def test_loss_prefers_the_truth() -> None:
    target = torch.zeros(1, 1, 32, 32)
    target[..., 8:24, 8:24] = 1
    good, bad = 8 * (2 * target - 1), -8 * (2 * target - 1)
    sides = [torch.nn.functional.avg_pool2d(good, 8)]
    assert losses.matte_loss(good, sides, target) < 0.2
    assert losses.matte_loss(bad, sides, target) > 5


def test_augmented_batch_is_reproducible() -> None:
    shards = [pool.stack(range(4), 64)]
    first, second = (augment.batch(np.random.default_rng(3), shards, 4, 32) for _ in range(2))
    assert first[0].shape == (4, 3, 32, 32) and first[1].shape == (4, 1, 32, 32)
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert first[1].min() >= 0 and first[1].max() <= 1


def _train(folder: Path, *arguments: str) -> str:
    options = ["--out", str(folder), "--minutes", "0.05", "--shards", "1", "--batch-size", "2"]
    result = CliRunner().invoke(train.main, [*options, *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def _step(folder: Path) -> int:
    return int(torch.load(folder / train.CHECKPOINT, weights_only=True)["step"])


def test_resume_continues_the_step_count(tmp_path: Path) -> None:
    shard = pool.shard_path(tmp_path / "pool", 0, SIDE)
    shard.parent.mkdir()
    np.save(shard, pool.stack(range(4), SIDE))
    _train(tmp_path)
    first = _step(tmp_path)
    _train(tmp_path, "--resume")
    assert 0 < first < _step(tmp_path)
    refused = CliRunner().invoke(train.main, ["--out", str(tmp_path)])
    assert refused.exit_code != 0 and "--resume" in refused.output


def test_restored_state_is_the_saved_one(tmp_path: Path) -> None:
    saved = train.State.fresh(1)
    saved.step = 17
    saved.rng.random(5)
    saved.save(tmp_path)
    restored = train.State.fresh(2)
    restored.restore(tmp_path)
    assert restored.step == 17
    assert restored.rng.random() == saved.rng.random()
    for name, value in saved.network.state_dict().items():
        assert torch.equal(value, restored.network.state_dict()[name])
    assert not list(tmp_path.glob("*.part"))


def test_learning_rate_warms_up_and_falls() -> None:
    rates = [train.learning_rate(progress, 1.0) for progress in (0.0, 0.03, 0.5, 1.0)]
    assert rates[0] == pytest.approx(0.05) and rates[1] == pytest.approx(1.0)
    assert rates[1] > rates[2] > rates[3] == pytest.approx(0.01)
