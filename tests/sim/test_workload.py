"""Are a replay's integers what the model, the platform and the scale say?"""

from math import ceil

import pytest
from moefetch.sim.model_spec import ModelSpec, load_model
from moefetch.sim.platform_spec import load_platform
from moefetch.sim.preset_files import preset_names
from moefetch.sim.workload import auto_scale, derive

PAIRS = [(model, platform) for model in preset_names("models") for platform in preset_names("platforms")]


def test_real_size_by_hand():
    workload = derive(load_model("gpt-oss-20b"), load_platform("st-moe-paper"), 1)
    assert workload.expert_bytes == 13_219_200
    assert workload.expert_beats == workload.transfer_cycles == 103_275
    assert workload.expert_stride == 3228 * 4096
    assert workload.layer_stride == 32 * workload.expert_stride
    assert workload.attention_cycles == ceil(54_448_128 / 128)  # 256 GB/s at 2 GHz: 128 bytes a cycle
    assert workload.step_cycles == ceil(1_158_266_880 / 128)
    assert workload.expert_cycles == 103_275  # bound by its beats: 49.8 MFLOP need 12,151 cycles
    assert (workload.latency_cycles, workload.outstanding, workload.max_burst_beats) == (200, 8, 32)
    assert workload.to_scale(10**9) == (True, "real size")


def test_work_beyond_the_beats_is_charged():
    slow = load_platform("ecp5-ddr3")
    model = ModelSpec(
        name="m",
        n_layers=1,
        n_experts=2,
        top_k=1,
        expert_bytes=100,
        expert_flops=156_000,
        attention_bytes=1,
        attention_flops=3_120_000,
        step_bytes=0,
        step_flops=0,
    )
    workload = derive(model, slow, 1)
    assert workload.expert_bytes == 112  # whole beats of 16 bytes
    assert workload.expert_cycles == 1000  # 156,000 flops at 15.6 G/s and 100 MHz
    assert workload.attention_cycles == 10_000
    assert workload.step_cycles == 0
    assert (workload.background_period, workload.background_length) == (780, 11)


@pytest.mark.parametrize(("model", "platform"), PAIRS)
@pytest.mark.parametrize("scale", [1, 3, 64, 1000])
def test_a_scale_divides_each_figure_alike_rounded_up_once(model, platform, scale):
    spec, machine = load_model(model), load_platform(platform)
    workload = derive(spec, machine, scale)
    compute, clock = machine.compute, machine.clock_hz
    attention = max(
        spec.attention_bytes / compute.attention_bytes_per_second,
        spec.attention_flops / compute.attention_flops_per_second,
    )
    assert workload.expert_bytes % machine.bus_bytes == 0
    assert 0 <= workload.expert_bytes - spec.expert_bytes / scale < machine.bus_bytes
    assert -1e-6 <= workload.attention_cycles - attention * clock / scale < 1
    assert -1e-6 <= workload.latency_cycles - machine.link.latency_ns * clock / 1e9 / scale < 1
    assert workload.expert_cycles >= workload.expert_beats
    assert workload.max_burst_beats == machine.link.max_burst_beats
    assert workload.expert_stride % 4096 == 0 <= workload.expert_stride - workload.expert_bytes < 4096


@pytest.mark.parametrize(("model", "platform"), PAIRS)
@pytest.mark.parametrize("burst_beats", [None, 1, 16])
def test_the_automatic_scale_is_the_largest_with_eight_whole_bursts(model, platform, burst_beats):
    spec, machine = load_model(model), load_platform(platform)
    scale = auto_scale(spec, machine, burst_beats)

    def bursts(at):
        workload = derive(spec, machine, at, max_burst_beats=burst_beats)
        return workload.expert_beats // workload.max_burst_beats

    assert bursts(scale) >= 8
    assert bursts(scale + 1) < 8


def test_an_expert_too_small_for_eight_bursts_is_left_at_real_size():
    model = load_model("moefetch-small").model_copy(update={"expert_bytes": 4096})
    assert auto_scale(model, load_platform("pcie4-x16")) == 1


def test_a_scale_is_valid_up_to_its_two_limits():
    model, platform = load_model("gpt-oss-20b"), load_platform("pcie4-x16")
    scale = auto_scale(model, platform)
    workload = derive(model, platform, scale)
    limit = workload.transfer_cycles // 20
    assert workload.to_scale(limit)[0]
    valid, reason = workload.to_scale(limit + 1)
    assert not valid
    assert reason.startswith("not to scale: prediction takes 5.")
    valid, reason = derive(model, platform, 2 * scale).to_scale(0)
    assert not valid
    assert reason == "not to scale: an expert spans 4 bursts, below 8"


def test_wrong_scales_and_bursts_are_named():
    model, platform = load_model("olmoe"), load_platform("cxl")
    with pytest.raises(ValueError, match="scale must be 1 or more, not 0"):
        derive(model, platform, 0)
    with pytest.raises(ValueError, match="max_burst_beats must be 1 to the platform's 128, not 256"):
        derive(model, platform, 1, max_burst_beats=256)
