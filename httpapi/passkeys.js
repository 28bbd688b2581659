// The own passkeys: which there are, another one, one less.
import { ask, hasPasskeys, submitted, tell } from "/page.js";

const part = (id) => document.getElementById(id);
let refused; // what is asked anew once the password was given again

// tried tells what has become of a request, and says whether it went well. Who
// signed in too long ago gives the password again, and f is called anew.
function tried(answer, f) {
  if (answer.ok) {
    return true;
  }
  tell(answer.text);
  if (answer.said.code === "session.reauthenticate") {
    refused = f;
    part("signed-in").hidden = true;
    part("again").hidden = false;
    part("again").elements.password.focus();
  }
  return false;
}

function shown(passkey) {
  const item = part("passkey").content.cloneNode(true).firstElementChild;
  const button = item.querySelector("button");
  item.querySelector("strong").textContent = passkey.name;
  for (const said of item.querySelectorAll("[data-of]")) {
    const value = passkey[said.dataset.of];
    said.hidden = !value;
    const time = said.querySelector("time");
    if (value && time) {
      time.dateTime = value;
      time.textContent = new Date(value).toLocaleDateString(document.documentElement.lang);
    }
  }
  button.ariaLabel = button.textContent + ": " + passkey.name;
  button.addEventListener("click", () => {
    if (confirm(button.dataset.sure + "\n" + passkey.name)) {
      remove(passkey, button.dataset.removed);
    }
  });
  return item;
}

async function list() {
  const answer = await ask("GET", "/me/passkeys");
  part("signed-out").hidden = answer.status !== 401;
  part("signed-in").hidden = !answer.ok;
  if (!answer.ok) {
    tell(answer.text);
    return;
  }
  part("none").hidden = answer.said.items.length > 0;
  part("passkeys").replaceChildren(...answer.said.items.map(shown));
}

async function remove(passkey, done) {
  const answer = await ask("DELETE", "/me/passkeys/" + passkey.id);
  if (tried(answer, () => remove(passkey, done))) {
    tell(done, true);
    await list();
    part("add").elements.name.focus();
  }
}

async function add(name) {
  const begun = await ask("POST", "/me/passkeys");
  if (!tried(begun, () => add(name))) {
    return;
  }
  let credential;
  try {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(begun.said.options.publicKey);
    credential = await navigator.credentials.create({ publicKey });
  } catch {
    tell(part("add").dataset.failed);
    return;
  }
  const answer = await ask("PUT", "/me/passkeys/challenges/" + encodeURIComponent(begun.said.challenge), { name, credential: credential.toJSON() });
  if (tried(answer, () => add(name))) {
    part("add").reset();
    tell(part("add").dataset.added, true);
    await list();
  }
}

part("add").hidden = !hasPasskeys;
part("unable").hidden = hasPasskeys;
submitted(part("add"), (values) => add(values.name));

submitted(part("again"), async (values) => {
  const answer = await ask("PUT", "/me/sessions/current", values);
  if (!answer.ok) {
    tell(answer.text);
    return;
  }
  part("again").reset();
  part("again").hidden = true;
  part("signed-in").hidden = false;
  tell("");
  await refused();
});

list();
