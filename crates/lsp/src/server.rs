//! The server itself: takes what the editor says, and answers.

use std::{
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use lsp_types::{
    CompletionOptions, CompletionParams, DefinitionParams, DidChangeTextDocumentParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, DocumentSymbolParams, HoverParams, InitializeParams, ReferenceParams,
    ServerCapabilities, TextDocumentPositionParams, TextDocumentSyncKind, Uri,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use weft_pipeline::source::{INTENTS, PACKS, PIPELINES, POLICIES};

use crate::{
    completion::completion,
    definition::{Files, definition, references, symbols},
    documents::{Open, OpenFiles, Root, change, path_of},
    findings::Publisher,
    hover::hover,
    project::{self, Newest, Outcome},
    schemas::Schemas,
    view::View,
};

/// Why the server ends before the editor asks it to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The editor breaks the protocol.
    #[error("the editor does not keep to the protocol: {0}")]
    Protocol(#[from] lsp_server::ProtocolError),
    /// A message of the editor has another shape than it should.
    #[error("a message of the editor cannot be read: {0}")]
    Message(#[from] serde_json::Error),
    /// The streams to the editor fail.
    #[error("the connection to the editor fails")]
    Stream(#[from] std::io::Error),
}

/// Serves an editor over standard input and output until it ends the session. The project is the folder that the editor has
/// open, else `folder`.
///
/// # Errors
/// See [`ServeError`].
pub fn serve(folder: &Path) -> Result<(), ServeError> {
    let (connection, threads) = Connection::stdio();
    let capabilities = serde_json::to_value(capabilities())?;
    let (id, params) = connection.initialize_start()?;
    let params: InitializeParams = serde_json::from_value(params)?;
    let info = json!({ "name": "weft", "version": env!("CARGO_PKG_VERSION") });
    connection.initialize_finish(id, json!({ "capabilities": capabilities, "serverInfo": info }))?;
    let root = Root::new(project_folder(&params, folder));
    let watches = params
        .capabilities
        .workspace
        .and_then(|workspace| workspace.did_change_watched_files)
        .and_then(|watched| watched.dynamic_registration);
    if watches == Some(true) {
        register_watch(&connection);
    }
    run(&connection, &root)?;
    drop(connection);
    threads.join()?;
    Ok(())
}

fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncKind::Incremental.into()),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some([":", "/", "\"", " "].map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(true.into()),
        definition_provider: Some(true.into()),
        references_provider: Some(true.into()),
        document_symbol_provider: Some(true.into()),
        ..ServerCapabilities::default()
    }
}

/// Returns the folder of the project: of those that the editor has open the first with intents, else `folder`.
fn project_folder(params: &InitializeParams, folder: &Path) -> PathBuf {
    let value = serde_json::to_value(&params.workspace_folders_initialize_params).unwrap_or_default();
    let open = value.get("workspaceFolders").and_then(Value::as_array).into_iter().flatten();
    let open = open.filter_map(|folder| folder.get("uri")?.as_str().map(Uri::from));
    #[allow(deprecated, reason = "older editors say only this")]
    let all = open.chain(params.root_uri.clone());
    all.filter_map(|uri| path_of(&uri)).find(|path| path.join(INTENTS).is_dir()).unwrap_or_else(|| folder.to_owned())
}

/// Asks the editor to say when files change that it has not open.
fn register_watch(connection: &Connection) {
    let watchers: Vec<Value> = [INTENTS, PACKS, PIPELINES, POLICIES]
        .iter()
        .map(|folder| json!({ "globPattern": format!("**/{folder}/**") }))
        .collect();
    let registration = json!({
        "id": "files", "method": "workspace/didChangeWatchedFiles", "registerOptions": { "watchers": watchers },
    });
    let request = Request::new(
        "files".to_owned().into(),
        "client/registerCapability".to_owned(),
        json!({ "registrations": [registration] }),
    );
    // An editor that is gone is noticed where its messages are read.
    let _ = connection.sender.send(request.into());
}

fn run(connection: &Connection, root: &Root) -> Result<(), ServeError> {
    let newest = Newest::default();
    let of_worker = newest.clone();
    let (jobs, received) = mpsc::channel();
    let mut server = Server { root, schemas: Schemas::new(), open: OpenFiles::new(), newest, jobs: Some(jobs) };
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut publisher = Publisher::default();
            // What is wrong with the whole project is said once and not at every key.
            let mut unreadable = None;
            project::work(root, &received, &of_worker, |outcome| match outcome {
                Outcome::Findings(findings, sources, open) => {
                    unreadable = None;
                    for params in publisher.publish(root, findings, sources, open) {
                        let said = Notification::new("textDocument/publishDiagnostics".to_owned(), params);
                        let _ = connection.sender.send(said.into());
                    }
                }
                Outcome::Unreadable(reason) if unreadable.as_ref() == Some(&reason) => {}
                Outcome::Unreadable(reason) => {
                    let params = json!({ "type": 1, "message": format!("weft: {reason}") });
                    let _ = connection.sender.send(Notification::new("window/showMessage".to_owned(), params).into());
                    unreadable = Some(reason);
                }
            });
        });
        server.examine();
        let ended = server.listen(connection);
        // The worker ends when no more texts can come.
        server.jobs = None;
        ended
    })
}

struct Server<'a> {
    root: &'a Root,
    schemas: Schemas,
    open: OpenFiles,
    newest: Newest,
    jobs: Option<mpsc::Sender<OpenFiles>>,
}

impl Server<'_> {
    fn listen(&mut self, connection: &Connection) -> Result<(), ServeError> {
        for message in &connection.receiver {
            match message {
                Message::Request(request) => {
                    if connection.handle_shutdown(&request)? {
                        break;
                    }
                    let _ = connection.sender.send(self.answer(request).into());
                }
                Message::Notification(notification) => self.take(notification),
                Message::Response(_) => {}
            }
        }
        Ok(())
    }

    /// Has the project examined as it is now.
    fn examine(&self) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(self.open.clone());
        }
    }

    fn take(&mut self, notification: Notification) {
        let Notification { method, params } = notification;
        match method.as_str() {
            "textDocument/didOpen" => {
                let Ok(DidOpenTextDocumentParams { text_document }) = serde_json::from_value(params) else { return };
                let Some(path) = self.root.relative(&text_document.uri) else { return };
                let text = text_document.text.into();
                self.open.insert(path, Open { uri: text_document.uri, version: text_document.version, text });
            }
            "textDocument/didChange" => {
                let Ok(params) = serde_json::from_value::<DidChangeTextDocumentParams>(params) else { return };
                let document = params.text_document;
                let path = self.root.relative(&document.text_document_identifier.uri);
                let Some(open) = path.and_then(|path| self.open.get_mut(&path)) else { return };
                open.text = change(&open.text, params.content_changes);
                open.version = document.version;
            }
            "textDocument/didClose" => {
                let Ok(DidCloseTextDocumentParams { text_document }) = serde_json::from_value(params) else { return };
                let Some(path) = self.root.relative(&text_document.uri) else { return };
                self.open.remove(&path);
            }
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {}
            _ => return,
        }
        self.examine();
    }

    fn answer(&self, request: Request) -> Response {
        let Request { id, method, params } = request;
        let result = match method.as_str() {
            "textDocument/completion" => self.at(
                params,
                |p: CompletionParams| p.text_document_position_params,
                |view, at, _| json!(completion(view, at)),
            ),
            "textDocument/hover" => {
                self.at(params, |p: HoverParams| p.text_document_position_params, |view, at, _| json!(hover(view, at)))
            }
            "textDocument/definition" => self.at(
                params,
                |p: DefinitionParams| p.text_document_position_params,
                |view, at, files| json!(definition(view, at, files)),
            ),
            "textDocument/references" => self.at(
                params,
                |p: ReferenceParams| p.text_document_position_params,
                |view, at, files| json!(references(view, at, files)),
            ),
            "textDocument/documentSymbol" => serde_json::from_value(params).map(|params: DocumentSymbolParams| {
                let text = self.text(&params.text_document.uri);
                text.map_or(Value::Null, |(_, text)| json!(symbols(&text)))
            }),
            other => {
                return Response::new_err(id, ErrorCode::MethodNotFound as i32, format!("there is no method {other}"));
            }
        };
        match result {
            Ok(result) => Response::new_ok(id, result),
            Err(error) => Response::new_err(id, ErrorCode::InvalidParams as i32, error.to_string()),
        }
    }

    /// Returns the text of a file of the project as it is in the editor.
    fn text(&self, uri: &Uri) -> Option<(String, std::sync::Arc<str>)> {
        let path = self.root.relative(uri)?;
        let open = self.open.get(&path)?;
        Some((path, open.text.clone()))
    }

    /// Answers a question about a place of a text; nothing where the text is none of the project.
    fn at<P: DeserializeOwned>(
        &self,
        params: Value,
        position: impl FnOnce(P) -> TextDocumentPositionParams,
        answer: impl FnOnce(&View<'_>, usize, &Files<'_>) -> Value,
    ) -> Result<Value, serde_json::Error> {
        let asked = position(serde_json::from_value(params)?);
        let Some((path, text)) = self.text(&asked.text_document.uri) else { return Ok(Value::Null) };
        let snapshot = self.newest.get();
        let view = View::new(&path, &text, &self.schemas, &snapshot.index);
        let files = Files { root: self.root, open: &self.open, texts: &snapshot.texts };
        let offset = view.offset(asked.position);
        Ok(answer(&view, offset, &files))
    }
}
