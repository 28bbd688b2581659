// What the scripts of all pages share: asking the API, and telling what it says.
const message = document.getElementById("message");

// ask sends a request. What is said of a refusal is in the language of the page.
export async function ask(method, path, body) {
  const headers = { "Accept-Language": document.documentElement.lang };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  let answer;
  let said = {};
  try {
    answer = await fetch("/api/v1" + path, { method, headers, body: JSON.stringify(body) });
  } catch {
    return { ok: false, status: 0, said, text: message.dataset.unreachable };
  }
  try {
    said = await answer.json();
  } catch {
    // nothing was said
  }
  const detail = (said.errors || []).map((e) => e.detail || "").find((text) => text !== "");
  return { ok: answer.ok, status: answer.status, said, text: said.message || detail || said.title || "" };
}

// tell puts on the page what has become of what was asked.
export function tell(text, good = false) {
  message.className = good ? "good" : "";
  message.textContent = text;
}

// submitted has f called with the values of a form, which is not sent again
// before f is done.
export function submitted(form, f) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") {
      return;
    }
    form.ariaBusy = "true";
    try {
      await f(Object.fromEntries(new FormData(form)));
    } finally {
      form.ariaBusy = "false";
    }
  });
}

// hasPasskeys says whether this browser can make and use passkeys.
export const hasPasskeys = typeof PublicKeyCredential === "function" && typeof PublicKeyCredential.parseCreationOptionsFromJSON === "function";
