"""beartype for ring 0's annotations, with int accepted where float is asked for (PEP 484's numeric tower)."""

from beartype import BeartypeConf, beartype

typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))
