"""
What Portage says, as JSON in the file named last: of each package of a folder whether it unpacks it with its signature
verified, and what it reads from the index of the binhosts that are set up.

    judge-binhost.py <folder of packages> <file>
"""
import json
import os
import sys
import tempfile

import portage
from portage.gpkg import gpkg


def verdict(path):
    """The exception's name if Portage refuses the package, None if it is good. Source: lib/portage/gpkg.py `decompress`."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            gpkg(portage.settings, "shop-1.0.0_p1", path, verify_signature=True).decompress(folder)
    except Exception as error:
        return type(error).__name__
    return None


def read_index():
    """By CPV and build id, what lib/portage/dbapi/bintree.py keeps of each package of a binhost."""
    tree = portage.db[portage.settings["EROOT"]]["bintree"]
    tree.populate(getbinpkgs=True)
    return {
        f"{cpv}-{cpv.build_id}": {key: str(value) for key, value in sorted(tree._remotepkgs[key_of(tree, cpv)].items())}
        for cpv in tree.dbapi.cpv_all()
    }


def key_of(tree, cpv):
    return tree.dbapi._instance_key(cpv)


folder, file = sys.argv[1:]
verdicts = {name: verdict(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}
with open(file, "w", encoding="utf-8") as target:
    json.dump({"portage": str(portage.VERSION), "verdicts": verdicts, "read": read_index()}, target)
