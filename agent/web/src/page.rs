//! The landing page, and text made safe for HTML.

/// A page that says what this is and where to go on. `body` is HTML; `links` are paths and their names.
#[must_use]
pub fn landing(program: &str, version: &str, body: &str, links: &[(&str, &str)]) -> String {
    let mut list = String::new();
    for (path, name) in links {
        list.push_str(&format!("<li><a href=\"{}\">{}</a></li>", escape(path), escape(name)));
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{program}</title></head>\n\
         <body><h1>{program} {version}</h1>\n{body}\n<ul>{list}</ul></body></html>\n"
    )
}

/// Text for HTML: kernel files and labels may hold anything.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_text_it_stands_in() {
        assert_eq!(
            escape("<a href=\"x\" title='y'>&"),
            "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;"
        );
        let page = landing("p", "1", "<pre></pre>", &[("/\"><script>", "<b>")]);
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
    }
}
