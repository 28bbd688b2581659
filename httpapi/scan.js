// A pupil has scanned the QR code of a lesson. Opening the page records
// nothing; a pupil who is signed in, or signs in here, is recorded.
"use strict";
const form = document.getElementById("sign-in");
const message = document.getElementById("message");

async function post(path, body) {
  const answer = await fetch("/api/v1" + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Accept-Language": document.documentElement.lang },
    body: JSON.stringify(body),
  });
  let said = {};
  try {
    said = await answer.json();
  } catch {
    // nothing was said
  }
  return { status: answer.status, ok: answer.ok, text: said.message || said.title || "" };
}

async function record() {
  const answer = await post("/me/self-recordings", { code: location.pathname.split("/").pop() });
  form.hidden = answer.status !== 401;
  message.className = answer.ok ? "good" : "";
  message.textContent = form.hidden ? answer.text : "";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const data = new FormData(form);
  const answer = await post("/learner/sessions", { username: data.get("username"), password: data.get("password") });
  if (answer.ok) {
    form.reset();
    await record();
  } else {
    message.textContent = answer.text;
  }
});

record();
