// Getting a picture: chosen, dropped, pasted, or a sample; and showing it whatever its format.

import * as api from "./api.js";
import { button, byId, el, show } from "./dom.js";

/** What is asked about: the bytes as they came, and an image that this browser can show with the size of the original. */
async function opened(blob, name) {
  const url = URL.createObjectURL(blob);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return { blob, name, url, width: image.naturalWidth, height: image.naturalHeight };
  } catch {
    URL.revokeObjectURL(url);
    const shown = await api.preview(blob);
    return { blob, name, url: URL.createObjectURL(shown.blob), width: shown.width, height: shown.height };
  }
}

/** Calls `take(picture)` for every picture the person gives, `fail(line)` for what is none. */
export function giving(take, fail) {
  const file = byId("file");
  const give = async (blob, name) => {
    try {
      take(await opened(blob, name));
    } catch (error) {
      fail(error.message);
    }
  };
  byId("choose").addEventListener("click", () => file.click());
  byId("change").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    if (file.files[0]) give(file.files[0], file.files[0].name);
    file.value = "";
  });
  const over = (on) => { document.body.classList.toggle("dropping", on); show(byId("drop-over"), on); };
  document.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    const [first] = event.dataTransfer.files;
    if (first) give(first, first.name);
    else fail("That was no file: save the picture first, then drop the file.");
  });
  document.addEventListener("paste", (event) => {
    const item = [...event.clipboardData.items].find((one) => one.kind === "file");
    if (!item) return;
    event.preventDefault();
    const blob = item.getAsFile();
    give(blob, blob.name || "pasted picture");
  });
  return (names) => samples(names, async (name) => {
    try {
      await give(await api.sample(name), name);
    } catch (error) {
      fail(error.message);
    }
  });
}

function samples(names, take) {
  show(byId("samples"), names.length > 0);
  byId("samples").querySelector("ul").replaceChildren(...names.map((name) => {
    const words = name.replace(/\.[a-z0-9]+$/i, "").replaceAll(/[-_]+/g, " ");
    const one = button("", () => take(name), { class: "sample", "aria-label": `Sample: ${words}` });
    one.append(el("img", { src: `/page/thumbnails/${encodeURIComponent(name)}`, alt: "", loading: "lazy" }), el("span", {}, words));
    return el("li", {}, one);
  }));
}
