// An edited workbook goes to the server as it is; the server says what is different in it.
"use strict";

const KEPT_AS = "Revenue_Cloud_Data.xlsx"; // what the server calls every workbook that is sent

document.addEventListener("change", async (event) => {
  if (event.target.id !== "file" || !event.target.files.length) return;
  const form = event.target.form;
  const sending = document.getElementById("sending");
  const file = event.target.files[0];
  const query = new URLSearchParams({ limit: "0", deleteMissing: document.getElementById("delete-missing").checked });
  const headers = { "X-Connection-Id": page.connection, "X-CSRF-Token": page.csrf };
  const password = document.getElementById("password").value;
  if (password) headers["X-Workbook-Password"] = password;
  sending.textContent = `Comparing ${file.name} with the replica …`;
  try {
    const given = await page.read(await page.send(`/api/workbook?${query}`, { method: "POST", headers, body: file }));
    location.href = `${form.dataset.base}/workbook?upload=${encodeURIComponent(given.uploadId)}#preview`;
  } catch (error) {
    sending.textContent = "";
    event.target.value = "";
    page.tell("bad", error.message.replaceAll(KEPT_AS, file.name));
  }
});
