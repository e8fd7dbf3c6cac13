"""Everything that a shoot-out found, as one JSON document of which all pages and plots are made."""

from pydantic import BaseModel, ConfigDict

from ..hw.measured import measured_predictors
from .shootout import Shootout
from .shootout_plots import bits_plot, gaps_plot, recall_plot
from .shootout_recall_page import recall_page
from .shootout_replay_page import replay_page
from .shootout_replays import PlatformReplays
from .shootout_summary import gap_table, hardware_table, recall_table


class ShootoutDocument(BaseModel):
    """The recalls of each trace, those of profiles on other traces, the replays, and the command that made it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = "recall measured; table bits, cycles to predict and microseconds modelled; others simulated"
    command: str
    traces: tuple[Shootout, ...]
    domains: tuple[dict[str, dict[str, float]], ...]
    replays: tuple[PlatformReplays, ...] = ()

    def files(self) -> dict[str, str]:
        """Return file name -> text: tables in Markdown, plots in SVG, and the document itself."""
        note = f"<!-- {self.command} -->\n\n"
        found = {
            "predictors.json": self.model_dump_json(indent=1) + "\n",
            "recall-summary.md": note + recall_table(self.traces) + "\n",
            "hardware.md": note + hardware_table(measured_predictors()) + "\n",
            "recall.md": note + recall_page(self.traces, self.domains),
            "recall.svg": recall_plot(self.traces),
            "bits.svg": bits_plot(self.traces),
        }
        if self.replays:
            found |= {
                "gap-summary.md": note + gap_table(self.replays) + "\n",
                "replays.md": note + replay_page(self.replays),
                "gaps.svg": gaps_plot(self.replays),
            }
        return found
