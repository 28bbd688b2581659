// A pupil has scanned the QR code of a lesson. Opening the page records
// nothing; a pupil who is signed in, or signs in here, is recorded.
import { ask, submitted, tell } from "/page.js";

const form = document.getElementById("sign-in");

async function record() {
  const answer = await ask("POST", "/me/self-recordings", { code: location.pathname.split("/").pop() });
  form.hidden = answer.status !== 401;
  tell(form.hidden ? answer.text : "", answer.ok);
}

submitted(form, async (values) => {
  const answer = await ask("POST", "/learner/sessions", values);
  if (answer.ok) {
    form.reset();
    await record();
  } else {
    tell(answer.text);
  }
});

record();
