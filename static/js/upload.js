// Drop captures, see them go up, land on the page that shows them being read. XMLHttpRequest, since fetch shows no
// progress of what it sends.
const form = document.getElementById("capture-form");
const zone = document.getElementById("drop-zone");
const input = document.getElementById("capture-files");
const bar = document.getElementById("upload-bar");
const failure = document.getElementById("upload-error");

function fail(text) {
  failure.textContent = text;
  failure.classList.remove("d-none");
  document.getElementById("upload-progress").classList.add("d-none");
}

function reason(request) {
  try {
    return JSON.parse(request.responseText).error;
  } catch {
    return request.status === 413 ? "The upload is too large." : `The upload was refused (${request.status || "connection lost"}).`;
  }
}

function send(files) {
  const size = [...files].reduce((sum, file) => sum + file.size, 0);
  if (!files.length) return;
  failure.classList.add("d-none");
  if (size > Number(form.dataset.maxBytes)) {
    fail(`${(size / 1e6).toFixed(0)} MB are more than the ${(form.dataset.maxBytes / 1e6).toFixed(0)} MB that one upload may have.`);
    return;
  }
  const data = new FormData();
  for (const file of files) data.append("files", file, file.name);
  const request = new XMLHttpRequest();
  request.open("POST", form.action || location.href);
  request.setRequestHeader("X-CSRFToken", form.querySelector("[name=csrfmiddlewaretoken]").value);
  request.upload.addEventListener("progress", (event) => {
    const percent = `${Math.floor((100 * event.loaded) / event.total)} %`;
    bar.style.width = percent;
    document.getElementById("upload-percent").textContent = percent;
  });
  request.addEventListener("load", () => {
    if (request.status === 201) location.href = JSON.parse(request.responseText).url;
    else fail(reason(request));
  });
  request.addEventListener("error", () => fail(reason(request)));
  document.getElementById("upload-name").textContent = [...files].map((file) => file.name).join(", ");
  document.getElementById("upload-progress").classList.remove("d-none");
  request.send(data);
}

for (const name of ["dragenter", "dragover"]) {
  zone.addEventListener(name, (event) => {
    event.preventDefault();
    zone.classList.add("is-over");
  });
}
for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("is-over"));
zone.addEventListener("drop", (event) => {
  event.preventDefault();
  send(event.dataTransfer.files);
});
zone.addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") input.click();
});
input.addEventListener("change", () => send(input.files));
