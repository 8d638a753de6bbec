// The server: questions as a stream of events (`/v1/ask`), and what the page needs besides.

export class Refusal extends Error {
  constructor(message, code = "", status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** The answer of the server, or a Refusal that says in one line what is wrong. */
async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The server does not answer: is `p2g ui` still running?");
  }
  if (response.ok) return response;
  let detail = null;
  try {
    detail = (await response.json()).error;
  } catch { /* no JSON: the status says it */ }
  if (response.status === 413) throw new Refusal(detail?.message ?? "The picture is too large for this server: shrink or crop it.", "too_large", 413);
  throw new Refusal(detail?.message ?? `The server answered ${response.status} ${response.statusText}`, detail?.code, response.status);
}

const posted = (body, signal) => ({
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal,
});

/** Asks; `tell` gets every event. Returns the last one, which holds the answer. */
export async function ask(fields, tell, signal) {
  const form = new FormData();
  for (const [name, value] of Object.entries({ ...fields, stream: true })) {
    if (value === null || value === undefined) continue;
    if (value instanceof Blob) form.append(name, value, "picture");
    else form.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  const response = await call("/v1/ask", { method: "POST", body: form, signal });
  let last = null;
  for await (const event of events(response.body)) {
    if (event.kind === "error") throw new Refusal(event.error.message, event.error.code);
    if (event.kind === "done") last = event;
    else tell(event);
  }
  if (!last) throw new Refusal("The answer was cut off: ask again.");
  return last;
}

/** The data of server-sent events. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value.replaceAll("\r\n", "\n");
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const data = text.slice(0, end).split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
      text = text.slice(end + 2);
      if (data.length && data[0] !== "[DONE]") yield JSON.parse(data.join("\n"));
    }
  }
}

export const info = async () => (await call("/page/info")).json();
export const sample = async (name) => (await call(`/page/samples/${encodeURIComponent(name)}`)).blob();

/** A picture that this browser cannot show, as one that it can, and the size of the original. */
export async function preview(blob) {
  const response = await call("/page/preview", { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: blob });
  const size = response.headers.get("X-Picture-Size").split("x").map(Number);
  return { blob: await response.blob(), width: size[0], height: size[1] };
}

export async function evidence(body) {
  return (await call("/page/evidence", posted(body))).blob();
}

export function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Refusal("The picture can no longer be read: choose it again."));
    reader.readAsDataURL(blob);
  });
}
