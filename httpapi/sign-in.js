// Staff sign in: by e-mail and password, with a code the first time, by a
// passkey, or at a service that is connected.
import { ask, hasPasskeys, submitted, tell } from "/page.js";

const part = (id) => document.getElementById(id);
let challenge = "";

function show(id) {
  for (const each of ["ways", "code", "done"]) {
    part(each).hidden = each !== id;
  }
}

function signedIn() {
  if (location.hash === "#passkeys") {
    location.replace("/passkeys");
    return;
  }
  part("password").reset();
  part("code").reset();
  show("done");
  tell(part("done").dataset.text, true);
  part("out").focus();
}

submitted(part("password"), async (values) => {
  const answer = await ask("POST", "/sessions", values);
  if (!answer.ok) {
    tell(answer.text);
  } else if (answer.status === 202) {
    challenge = answer.said.challenge;
    tell("");
    show("code");
    part("code").elements.code.focus();
  } else {
    signedIn();
  }
});

submitted(part("code"), async (values) => {
  const answer = await ask("POST", "/sessions/challenges/" + encodeURIComponent(challenge), values);
  if (answer.ok) {
    signedIn();
    return;
  }
  tell(answer.text);
  if (answer.status === 404 || answer.status === 410) { // no other code will do
    show("ways");
  }
});

part("forgotten").addEventListener("click", async () => {
  const email = part("password").elements.email;
  if (email.reportValidity()) {
    const answer = await ask("POST", "/password-resets", { email: email.value });
    tell(answer.ok ? part("forgotten").dataset.sent : answer.text, answer.ok);
  }
});

part("passkey").hidden = !hasPasskeys;
part("passkey").addEventListener("click", async () => {
  const begun = await ask("POST", "/sessions/passkeys");
  if (!begun.ok) {
    tell(begun.text);
    return;
  }
  let credential;
  try {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(begun.said.options.publicKey);
    credential = await navigator.credentials.get({ publicKey });
  } catch {
    tell(part("passkey").dataset.failed);
    return;
  }
  const answer = await ask("POST", "/sessions/passkeys/" + encodeURIComponent(begun.said.challenge), { credential: credential.toJSON() });
  if (answer.ok) {
    signedIn();
  } else {
    tell(answer.text);
  }
});

for (const button of document.querySelectorAll("[data-provider]")) {
  button.addEventListener("click", async () => {
    const answer = await ask("POST", "/sessions/external/" + button.dataset.provider);
    if (answer.ok) {
      location.assign(answer.said.authorization_url);
    } else {
      tell(answer.text);
    }
  });
}

part("out").addEventListener("click", async () => {
  const answer = await ask("DELETE", "/me/sessions/current");
  if (answer.ok || answer.status === 401) {
    show("ways");
    tell(part("out").dataset.out, true);
  } else {
    tell(answer.text);
  }
});
