// The page: one picture at a time, questions about it, and what is shown of their answers.

import * as api from "./api.js";
import { Boxes } from "./boxes.js";
import { byId, el, save, show } from "./dom.js";
import { giving } from "./picture.js";
import { fieldsOf, given, MOST, Turn, wordsOf } from "./turn.js";
import { Viewer } from "./viewer.js";

const viewer = new Viewer(byId("stage"), byId("world"));
const boxes = new Boxes(viewer, byId("tags"));
const state = { picture: null, thread: null, sent: false, busy: null, active: null, own: null, ready: false, waiting: false };

const OCCUPIED = "One question is being answered: wait for it or stop it.";

/* ---- the picture ---- */

const offer = giving(take, fail);

function take(picture) {
  state.busy?.abort();
  if (state.picture) URL.revokeObjectURL(state.picture.url);
  Object.assign(state, { picture, thread: newId(), sent: false, active: null });
  byId("turns").replaceChildren();
  show(byId("help"));
  byId("picture").src = picture.url;
  for (const name of ["width", "height"]) byId("picture").style[name] = `${picture[name]}px`;
  byId("name").textContent = `${picture.name}, ${picture.width} × ${picture.height}`;
  show(byId("start"), false);
  show(byId("viewer"));
  show(byId("change"));
  viewer.size(picture.width, picture.height);
  boxes.show([]);
  boxes.setPart(null);
  fail("");
  setBusy(null);
  say("Picture ready: ask a question.");
  byId("question").focus();
}

/** A name for a conversation. */
function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/* ---- saying what happens ---- */

function say(line) {
  if (line) byId("status").textContent = line;
}

function fail(line) {
  byId("error").textContent = line;
  show(byId("error"), Boolean(line));
  if (line) byId("status").textContent = "";
}

function setBusy(control) {
  state.busy = control;
  byId("submit").disabled = Boolean(control) || !state.picture || !state.ready;
  show(byId("stop"), Boolean(control));
  document.body.classList.toggle("busy", Boolean(control));
}

/* ---- asking ---- */

const mode = () => byId("form").elements.mode.value;
const dial = byId("threshold");
let touched = false; // whether the threshold was set by the person

function settings() {
  const options = byId("options").value.split("\n").map((line) => line.trim()).filter(Boolean);
  const box = boxes.part?.map((side) => Math.round(side * 10) / 10) ?? null;
  return { options: options.length ? options : null, mode: mode(), threshold: touched ? Number(dial.value) : null, box };
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = byId("question").value.trim();
  if (state.busy) return;
  if (!state.picture) fail("Choose a picture first.");
  else if (!state.ready) {
    state.waiting = true;
    say("The model is still loading: the question is asked as soon as it is there.");
  } else if (question) askTurn({ question, ...settings() });
});

byId("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    byId("form").requestSubmit();
  }
});

byId("stop").addEventListener("click", () => state.busy?.abort());

/** A new turn at the top of the list, asked at once. */
async function askTurn(asked) {
  const turn = new Turn(asked, { own: state.own });
  wire(turn);
  byId("turns").prepend(turn.root);
  show(byId("help"), false);
  activate(turn);
  await run(turn, { thread_id: state.thread });
  if (turn.answer) {
    say(`Answer: ${turn.answer.text || "none"}`);
    byId("question").select();
  }
}

/** Asks for a turn; whatever goes wrong is one line in it. */
async function run(turn, where = {}) {
  const control = new AbortController();
  const { picture } = state;
  setBusy(control);
  fail("");
  say(turn.now(turn.asked.regions ? "Answering…" : "The controller decides…"));
  try {
    const body = { ...turn.asked, ...where };
    if (turn.asked.regions) body.regions = turn.asked.regions.map(fieldsOf);
    turn.done(await send(body, (event) => say(turn.event(event)), control.signal));
  } catch (error) {
    const stopped = error.name === "AbortError";
    turn.failed(stopped ? "Stopped." : error.message);
    if (picture === state.picture) stopped ? say("Stopped.") : fail(error.message);
  } finally {
    if (state.busy === control) setBusy(null);
  }
  if (state.active === turn) refresh();
}

/** The picture goes along until the conversation knows it. */
async function send(body, tell, signal, again = 60) {
  const known = state.sent && body.thread_id;
  try {
    const reply = await api.ask(known ? body : { ...body, picture: state.picture.blob }, tell, signal);
    if (body.thread_id === state.thread) state.sent = true;
    return reply;
  } catch (error) {
    if (error.code === "conversation_busy" && again > 0) { // one that was stopped is still coming to its end
      say("Waiting for the stopped question to end…");
      await new Promise((resolve) => { setTimeout(resolve, 1000); });
      signal.throwIfAborted();
      return send(body, tell, signal, again - 1);
    }
    if (!known || !["no_picture", "picture_gone"].includes(error.code)) throw error;
    state.sent = false; // the server has forgotten it, it was started anew
    return send(body, tell, signal);
  }
}

/* ---- turns ---- */

function wire(turn) {
  turn.addEventListener("activate", () => activate(turn));
  turn.addEventListener("hover", ({ detail }) => { if (turn === state.active) light(detail.id); });
  turn.addEventListener("pick", ({ detail }) => {
    activate(turn);
    const region = turn.regions.find((one) => one.id === detail.id);
    if (!region.number && !region.changed && !byId("all").checked) {
      byId("all").checked = true;
      refresh();
    }
    viewer.reveal(region.box);
    light(detail.id);
  });
  turn.addEventListener("edit", () => {
    activate(turn);
    refresh();
    if (turn.edited) say("The evidence was corrected: answer again from what is left.");
  });
  turn.addEventListener("undo", () => turn.undo());
  turn.addEventListener("again", () => {
    if (state.busy) return say(OCCUPIED);
    return askTurn({ ...turn.asked, regions: given(turn.left()) });
  });
  turn.addEventListener("compare", () => compare(turn));
  turn.addEventListener("trace", () => {
    const kept = { picture: turn.reply.picture, name: state.picture.name, ...turn.asked, id: turn.reply.id, model: turn.reply.model, ...turn.answer };
    save(new Blob([JSON.stringify(kept, null, 2)], { type: "application/json" }), "p2g-trace.json");
  });
  turn.addEventListener("picture", async () => {
    try {
      const regions = turn.left().filter((region) => region.number).sort((a, b) => a.number - b.number)
        .slice(0, MOST.regions).map(fieldsOf);
      const title = `${turn.asked.question} ${turn.answer.text}`;
      save(await api.evidence({ picture: await api.dataUrl(state.picture.blob), regions, title }), "p2g-evidence.png");
    } catch (error) {
      fail(error.message);
    }
  });
}

function activate(turn) {
  if (state.active === turn) return;
  state.active?.root.classList.remove("active");
  state.active = turn;
  turn.root.classList.add("active");
  refresh();
}

/** The regions of the turn at hand, on the picture. */
function refresh() {
  const turn = state.active;
  if (!turn) return;
  const all = byId("all").checked;
  const wanted = turn.left().filter((region) => all || region.number || region.changed || region.id === boxes.selected);
  for (const region of wanted) Object.assign(region, { words: wordsOf(region), fixed: turn.small });
  boxes.show(wanted);
}

function light(id) {
  boxes.highlight(id);
  for (const row of document.querySelectorAll(".row-of.lit")) row.classList.remove("lit");
  if (id !== null) state.active?.root.querySelectorAll(`.row-of[data-id="${CSS.escape(id)}"]`).forEach((row) => row.classList.add("lit"));
}

/** The same question without and with experts, side by side; not part of the conversation. */
async function compare(turn) {
  if (state.busy) return say(OCCUPIED);
  turn.root.querySelector(".compare")?.remove();
  const both = [["Direct", "direct"], ["Deliberate", "always"]].map(([title, forced]) => {
    const one = new Turn({ ...turn.asked, mode: forced, regions: null }, { title, small: true, own: state.own });
    one.addEventListener("hover", ({ detail }) => { if (one === state.active) light(detail.id); });
    one.addEventListener("pick", ({ detail }) => {
      activate(one);
      viewer.reveal(one.regions.find((region) => region.id === detail.id).box);
    });
    return one;
  });
  turn.actions.after(el("div", { class: "compare", role: "group", "aria-label": "Direct and deliberate" }, ...both.map((one) => one.root)));
  for (const one of both) {
    await run(one);
    if (!one.answer) return undefined;
  }
  const same = both[0].answer.text.trim().toLowerCase() === both[1].answer.text.trim().toLowerCase();
  return say(same ? "Both say the same." : "They differ.");
}

/* ---- boxes and the picture's controls ---- */

boxes.addEventListener("hover", ({ detail }) => light(detail.id));
boxes.addEventListener("select", ({ detail }) => {
  const row = detail.id !== null && state.active?.root.querySelector(`.row-of[data-id="${CSS.escape(detail.id)}"]`);
  if (row) row.scrollIntoView({ block: "nearest" });
});
boxes.addEventListener("change", ({ detail }) => {
  if (detail.id === "part") return setPart();
  return state.active?.small ? undefined : state.active?.changed(detail.id);
});
boxes.addEventListener("remove", ({ detail }) => {
  if (detail.id === "part") boxes.setPart(null);
  else state.active?.remove(detail.id);
});

function setPart() {
  show(byId("unpart"), Boolean(boxes.part));
  show(byId("restricted"), Boolean(boxes.part));
  drawing(false);
}

function drawing(on) {
  boxes.setDrawing(on);
  byId("part").setAttribute("aria-pressed", String(on));
}

byId("part").addEventListener("click", (event) => {
  if (event.detail === 0) { // by keyboard: a part in the middle of what is seen, to be moved and resized
    const [x1, y1, x2, y2] = viewer.seen();
    const [w, h] = [(x2 - x1) / 4, (y2 - y1) / 4];
    boxes.setPart([x1 + w, y1 + h, x2 - w, y2 - h]);
    byId("tags").querySelector(".part").focus({ preventScroll: true });
    say("A part in the middle: arrows move it, Shift and arrows resize it, Delete removes it.");
  } else {
    drawing(!boxes.drawing);
    if (boxes.drawing) say("Draw a box around the part.");
  }
});
byId("unpart").addEventListener("click", () => {
  boxes.setPart(null);
  byId("part").focus();
});
byId("all").addEventListener("change", refresh);
byId("in").addEventListener("click", () => viewer.zoom(1.4));
byId("out").addEventListener("click", () => viewer.zoom(1 / 1.4));
byId("fit").addEventListener("click", () => viewer.fit());
viewer.addEventListener("view", () => { byId("zoom").textContent = `${Math.round(viewer.scale * 100)}%`; });
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && boxes.drawing) drawing(false); });

/* ---- how to ask ---- */

function showHow() {
  const set = touched ? Number(dial.value) : state.own;
  byId("shown").textContent = set === null ? "the controller's own" : `${set.toFixed(2)}${touched ? "" : " (as trained)"}`;
  show(byId("own"), touched);
  byId("dial").classList.toggle("off", mode() !== "learned");
  dial.disabled = mode() !== "learned";
  byId("how").textContent = mode() === "learned" ? (touched ? `learned, threshold ${Number(dial.value).toFixed(2)}` : "") : mode();
}

dial.addEventListener("input", () => { touched = true; showHow(); });
byId("own").addEventListener("click", () => {
  touched = false;
  dial.value = state.own ?? 0.5;
  showHow();
  dial.focus();
});
for (const radio of byId("form").elements.mode) radio.addEventListener("change", showHow);

/** What server this is; asked again until its model is loaded. */
async function learn(first = true, again = false) {
  let about;
  try {
    about = await api.info();
  } catch (error) {
    setTimeout(learn, 2000, first, true);
    return fail(error.message);
  }
  if (again) fail("");
  if (first) offer(about.samples);
  if (about.failed) return fail(about.waiting);
  state.ready = about.waiting === null;
  if (!state.ready) {
    byId("about").textContent = `profile ${about.profile} is loading…`;
    setTimeout(learn, 500, false);
    return undefined;
  }
  state.own = about.threshold;
  if (!touched) dial.value = about.threshold ?? 0.5;
  byId("about").textContent = `profile ${about.profile} · experts: ${about.experts.map((expert) => expert.name).join(", ") || "none"}`;
  byId("about").title = about.experts.map((expert) => `${expert.name}: ${expert.description}`).join("\n");
  setBusy(state.busy);
  if (state.waiting) byId("form").requestSubmit();
  state.waiting = false;
  return showHow();
}

showHow();
learn();
