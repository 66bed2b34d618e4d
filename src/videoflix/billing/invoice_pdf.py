"""Render invoices as PDF, of one or more pages. Pure functions: no database, no HTTP."""

from pathlib import Path

from fpdf import FPDF

from videoflix.billing.schemas import InvoiceDocument

FONTS = Path(__file__).parent / "fonts"
FONT = "DejaVu"
MARGIN = 20
GREY = 120


def render_pdf(document: InvoiceDocument) -> bytes:
    """Render an A4 PDF."""
    pdf = FPDF(format="A4")
    pdf.set_margins(MARGIN, MARGIN)
    pdf.set_auto_page_break(auto=True, margin=MARGIN)
    pdf.set_title(f"Invoice {document.number}")
    pdf.set_creation_date(document.created_at)
    pdf.add_font(FONT, "", FONTS / "DejaVuSansCondensed.ttf")
    pdf.add_font(FONT, "B", FONTS / "DejaVuSansCondensed-Bold.ttf")
    pdf.add_page()
    pdf.set_font(FONT, "B", 20)
    pdf.cell(0, 12, document.site, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font(FONT, size=11)
    pdf.set_text_color(GREY)
    for line in (
        f"Invoice {document.number}",
        document.month,
        document.owner,
        document.status.capitalize(),
    ):
        pdf.cell(0, 7, line, new_x="LMARGIN", new_y="NEXT")
    pdf.ln(8)
    pdf.set_text_color(0)
    with pdf.table(col_widths=(75, 25), text_align=("LEFT", "RIGHT"), line_height=7) as table:
        for description, amount in [("Description", "Amount"), *document.lines]:
            row = table.row()
            row.cell(description)
            row.cell(amount)
    pdf.ln(4)
    pdf.set_font(FONT, "B", 13)
    pdf.cell(0, 10, f"Total  {document.total}", align="R")
    return bytes(pdf.output())
