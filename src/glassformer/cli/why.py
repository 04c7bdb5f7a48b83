"""`glassformer why`: the common confusions, each as something to run."""

from typing import Annotated

import typer

from glassformer.cli.common import AsJson, out, print_json


def why(
    which: Annotated[
        str | None,
        typer.Argument(metavar="N", help="A number (6), a name (heads), a theme (masks), or a word of a question."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Questions that people asked, wrong beside right, with numbers computed now. Without N: the list.

    The code that is shown is the code that is run, on the CPU, each time from the same random state.
    """
    from glassformer.learn.why.catalogue import CONFUSIONS, find
    from glassformer.learn.why.terminal import drawing, listing

    found = CONFUSIONS if which is None else find(which)
    if len(found) == 1:
        demonstration = found[0].demonstrate()
        if as_json:
            print_json(demonstration.to_dict())
        else:
            out.print(drawing(demonstration), soft_wrap=False)
    elif as_json:
        names = ("number", "slug", "theme", "question", "exercise")
        print_json([{name: getattr(confusion, name) for name in names} for confusion in found])
    else:
        out.print(listing(found), soft_wrap=False)
        out.print(f"\nTo run one: glassformer why {found[0].number}, or glassformer why {found[0].slug}")
