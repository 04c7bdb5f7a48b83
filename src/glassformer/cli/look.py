"""`glassformer look`: the page on which every number of a model can be seen and changed."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from glassformer.cli.common import MODEL_HELP, AsJson, Device, Threads, err, open_model, out, print_json, use_machine


def look(
    model: Annotated[
        str | None, typer.Argument(help=f"{MODEL_HELP} Default: a small one that reverses letters.")
    ] = None,
    sentence: Annotated[
        str | None, typer.Argument(help="The source sentence it opens with. Default: an example of the data.")
    ] = None,
    page: Annotated[Path, typer.Option("--out", help="The page to write: one file, opens offline.")] = Path(
        "page.html"
    ),
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page from 127.0.0.1 instead, for any size (extra web).")
    ] = False,
    port: Annotated[int, typer.Option(help="With --serve: the port; 0 takes a free one.", min=0, max=65535)] = 8000,
    show: Annotated[bool, typer.Option("--open", help="Open it in your browser.")] = False,
    as_json: AsJson = False,
    device: Device = "cpu",
    threads: Threads = None,
) -> None:
    """Write one HTML file that shows every number of a model, computes live, and asks the network for nothing.

    Ten rooms: the story of one sentence, the floor plan, the masks, every attention map, the arithmetic of any
    cell, one number's journey, the logit lens, surgery, the beam's tree, training over time. A model of at most
    8 million weights (16 MB) computes in the page; a larger one is shown as a recording of one pass, or whole with
    --serve.
    """
    machine = use_machine(device, threads)
    from glassformer.look.pages import page_of, write_page
    from glassformer.look.sisters import sisters

    folder = None if model is None else Path(model)
    loaded = sisters()["honest"].loaded if model is None else open_model(model, machine)
    if serve:
        from glassformer.look.server.serve import serve as run_server

        run_server(loaded, sentence, port, lambda address: announce(address, show), folder=folder)
        return
    made = page_of(loaded, sentence, folder=folder)
    size = write_page(made.html, page)
    if as_json:
        print_json({"page": str(page), "bytes": size, "live": made.live, "sentence": made.sentence})
    else:
        how = "computes live" if made.live else "a recording of one pass"
        out.print(f"{page}  {size / 1e6:.1f} MB, {how}: open it in a browser", markup=False)
    if not made.live:
        err.print("This model is too large to compute in a page. For every sentence: glassformer look MODEL --serve")
    if show:
        webbrowser.open(page.absolute().as_uri())


def announce(address: str, show: bool) -> None:
    err.print(f"the page is at {address}   Ctrl-C ends")
    if show:
        webbrowser.open(address)
