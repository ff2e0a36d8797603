// The widget that the sandbox plays, as texts: the script that a page loads, and the frame that the script shows.

export const SCRIPT = `
(() => {
  const origin = new URL(document.currentScript.src).origin;
  const widgets = new Map();
  let count = 0;

  function frameOf(id, { sitekey, action, language, size }) {
    const frame = document.createElement("iframe");
    const query = new URLSearchParams({ id, sitekey, action, language, hostname: location.hostname });
    frame.src = origin + "/turnstile/v0/frame?" + query;
    frame.title = "Widget containing a Cloudflare security challenge";
    frame.width = size === "compact" ? "150" : "300";
    frame.height = size === "compact" ? "140" : "65";
    frame.style.border = "0";
    return frame;
  }

  function show(id) {
    const widget = widgets.get(id);
    widget.frame?.remove();
    widget.frame = frameOf(id, widget.options);
    widget.box.append(widget.frame);
  }

  addEventListener("message", (event) => {
    const widget = event.origin === origin && widgets.get(event.data.id);
    if (!widget || event.source !== widget.frame.contentWindow) return;
    const { token, error, expired } = event.data;
    if (token) widget.options.callback?.(token);
    if (error) widget.options["error-callback"]?.(error);
    if (expired) widget.options["expired-callback"]?.();
  });

  window.turnstile = {
    render(box, options) {
      const id = "widget-" + ++count;
      widgets.set(id, { box, options });
      show(id);
      return id;
    },
    reset: show,
    remove(id) {
      widgets.get(id).frame.remove();
      widgets.delete(id);
    },
  };
})();
`;

export const FRAME = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Widget</title></head>
<body>
<label><input type="checkbox" id="box"> I am a person</label>
<button type="button" id="expire">Expire</button>
<script>
  const asked = Object.fromEntries(new URLSearchParams(location.search));
  document.documentElement.lang = asked.language;
  const tell = (what) => parent.postMessage({ id: asked.id, ...what }, "*");
  const pass = () => tell({ token: "ok-" + crypto.randomUUID() + "~" + asked.hostname + "~" + asked.action });
  const box = document.getElementById("box");
  box.addEventListener("change", pass);
  document.getElementById("expire").addEventListener("click", () => tell({ expired: true }));
  if (asked.sitekey.startsWith("1x")) {
    box.checked = true;
    pass();
  }
  if (asked.sitekey.startsWith("2x")) tell({ error: "300030" });
</script>
</body>
</html>
`;
