"""One self-contained HTML file: the page's ES modules, its style and its data, under a content policy by hash.

Nothing is built and nothing is fetched. Each module becomes a `data:` address in an import map; the map travels
packed by gzip, which makes it a third as large, and a few lines of script unpack it. The policy allows exactly these
scripts, by their SHA-256: a script that is not ours does not run, wherever it came from.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any
from urllib.parse import quote

PAGE = files("glassformer.look") / "page"
MAIN = 'import { start } from "glass/main.js";\nstart();\n'
# Unpacks the modules, makes their import map, and adds it and then MAIN: the policy knows the text of each of them.
BOOT = """
(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("modules").textContent), (each) => each.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const map = { imports: {}, integrity: {} };
  for (const [name, [source, digest]] of Object.entries(await new Response(unpacked).json())) {
    map.imports[name] = `data:text/javascript,${encodeURIComponent(source)}`;
    map.integrity[map.imports[name]] = digest;
  }
  const add = (type, textContent) =>
    document.head.append(Object.assign(document.createElement("script"), { type, textContent }));
  add("importmap", JSON.stringify(map));
  add("module", MAIN);
})();
""".replace("MAIN", json.dumps(MAIN))
UNQUOTED = "!~*'()"  # what JavaScript's encodeURIComponent leaves as it is, beside letters, digits and -_.


def page_html(payload: Mapping[str, Any], blobs: Mapping[str, bytes], *, connect: bool = False) -> str:
    """The whole page as text: `payload` is what it shows, `blobs` the weights and recordings that it names.

    With `connect`, its scripts may ask the server that it comes from, and no other.
    """
    modules = {f"glass/{name}": source.read_bytes() for name, source in sorted(modules_of(PAGE).items())}
    import_map = import_map_of(modules)
    style = (PAGE / "style.css").read_text(encoding="utf-8")
    scripts = [digest(text) for text in (BOOT.encode(), import_map.encode(), MAIN.encode(), *modules.values())]
    policy = f"default-src 'none'; script-src {allowed(scripts)}; style-src {allowed([digest(style.encode())])}"
    policy += "; base-uri 'none'; form-action 'none'" + ("; connect-src 'self'" if connect else "")
    sources = {name: (text.decode(), digest(text)) for name, text in modules.items()}
    packed = {"modules": gzip.compress(json.dumps(sources).encode(), mtime=0), **blobs}
    parts = {
        "TITLE": escape(str(payload["title"])),
        "POLICY": f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        "STYLE": f"<style>{style}</style>",
        "DATA": "\n".join(
            [
                f'<script type="application/json" id="payload">{as_script(payload)}</script>',
                *(
                    f'<script type="application/octet-stream" id="{name}">{base64.b64encode(blob).decode()}</script>'
                    for name, blob in packed.items()
                ),
            ]
        ),
        "SCRIPTS": f"<script>{BOOT}</script>",
    }
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    for name, text in parts.items():
        html = html.replace(f"<!--{name}-->", text)
    return html


def import_map_of(modules: Mapping[str, bytes]) -> str:
    """The import map that gives each module its address and says what its text must be; BOOT makes the same."""
    addresses = {name: data_address(text) for name, text in modules.items()}
    integrity = {addresses[name]: digest(text) for name, text in modules.items()}
    return json.dumps({"imports": addresses, "integrity": integrity}, separators=(",", ":"))


def modules_of(folder: Traversable, prefix: str = "") -> dict[str, Traversable]:
    """Every .js file below the folder, by its path from there."""
    found: dict[str, Traversable] = {}
    for item in folder.iterdir():
        if item.is_dir():
            found |= modules_of(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".js"):
            found[f"{prefix}{item.name}"] = item
    return found


def data_address(script: bytes) -> str:
    return f"data:text/javascript,{quote(script, safe=UNQUOTED)}"


def digest(text: bytes) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}"


def allowed(digests: list[str]) -> str:
    return " ".join(f"'{each}'" for each in digests)


def as_script(value: Any) -> str:
    """JSON that no text inside it can end: every "<" is written as an escape."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
